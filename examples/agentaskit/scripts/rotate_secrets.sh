#!/bin/bash
set -euo pipefail

rotate_api_keys() {
    agentaskit-admin issue-api-key | vault kv patch -mount=secret agentaskit/api-keys api_key=-
    kubectl rollout restart deployment/agentaskit-api
}

rotate_db_credentials() {
    vault write -f database/rotate-role/agentaskit-db
    kubectl rollout restart deployment/agentaskit-workers
}

case "${1:-}" in
    api-keys) rotate_api_keys ;;
    db-credentials) rotate_db_credentials ;;
    *)
        echo "usage: $0 api-keys|db-credentials" >&2
        exit 2
        ;;
esac
