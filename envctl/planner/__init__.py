"""From the resolved spec to the plan: defaults, order, names, and layers that builds share.

Where to look:

- the whole plan: make_plan; some services of it: selection; services planned once for several environments: planned_services
- one service: service_context (what it is decided from), service_units, mounts, new_volumes
- what it is built from: build, package_layers, mount_shadow
- mistakes that only a plan shows: base_names, overlaps
"""
