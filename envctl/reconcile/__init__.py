"""Making what exists match the plan: compare, carry the changes out, wait until units are ready."""
