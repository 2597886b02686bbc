"""What envctl needs of the host itself: files, locks, private folders, certificates."""
