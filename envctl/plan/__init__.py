"""The centre: the desired state, the observed state, and the changes between them. Standard library only.

Where to look:

- the desired state: model (the plan and its parts), scope, target, platforms, build_secrets, image_names, requirements
- the observed state: state, exit_state, hooks, image_volumes
- changes: changes (the types), change_order (what releases something comes before what takes it), holdings
- causes of changes: build_causes, run_causes (from field_difference, options_differences and port_and_mount_differences), state_causes
- identity and words: digest, text, values
- what facts are about: categories, sysctls, volatile_places
- rendered files: artifact
"""
