#!/bin/bash
set -euo pipefail

rotate_api_keys() {
    keywatch rotate apply --secret "vault://prod/-/secret/agentaskit/api-keys" "$@"
}

rotate_db_credentials() {
    keywatch rotate apply --secret "vault://prod/-/database/static-roles/agentaskit-db" "$@"
}

# KEYWATCH_OPERATOR names the operator config: it says who issues the values, which deployments
# restart, and with which identity to rotate.
command=${1:-}
shift || true
case "$command" in
    api-keys) rotate_api_keys "$@" ;;
    db-credentials) rotate_db_credentials "$@" ;;
    resume) keywatch rotate resume "$@" ;;
    *)
        echo "usage: $0 api-keys|db-credentials|resume [OPTION...]" >&2
        exit 2
        ;;
esac
