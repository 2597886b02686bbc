"""What envctl needs of this host: files, locks, private folders, certificates."""
