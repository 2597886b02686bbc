"""What may be written in a spec: one declaration a key. `service` has those of a service, `spec_file` those at the top of a file."""
