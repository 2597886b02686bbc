"""Facts: what is true inside running units, compared with the spec or with another target.

Where to look:

- collecting: collect (which questions), collect.sh (the script that answers them), run_collector (runs it in a unit),
  file_search, engine_archive
- parsing the answers: answers, parse_facts, and by subject parse_system, parse_process, parse_changes, file_tree, processes
- facts: fact_format (the types, and the file format)
- comparing targets (`parity`): compare_facts, accepted, result, report
- comparing with the spec (`verify`): verify_categories, drift/
- documentation: reference
"""
