"""Evidence: what is true inside running units, compared with the spec, or with what is true elsewhere.

Where to look:

- asking: collect (which questions), collect.sh (the script that answers them), run_collector (runs it in a unit),
  file_search, engine_archive
- reading the answers: parse_facts, file_tree, processes
- facts: fact_format (the types, and the file they are kept in)
- comparing targets (`parity`): compare_facts, accepted, result, report
- comparing with the spec (`verify`): verify_categories, drift/
- documentation: reference
"""
