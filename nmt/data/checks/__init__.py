"""What `nmt-check` looks for in corpora."""
