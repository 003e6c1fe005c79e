#!/bin/sh
# Starts PostgreSQL as any user, on an empty volume too, by the official image's variables: POSTGRES_DB, POSTGRES_USER,
# POSTGRES_PASSWORD_FILE, POSTGRES_INITDB_ARGS, PGDATA. No server runs before the database is there, so that nothing is
# ever ready too early; what was begun and not finished is begun anew.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    new="$PGDATA.new"
    rm -rf "$new"
    # shellcheck disable=SC2086 # several options in one variable
    initdb --pgdata="$new" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 \
        --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 ${POSTGRES_INITDB_ARGS:-}
    echo "host all all all scram-sha-256" >>"$new/pg_hba.conf"
    if [ "$POSTGRES_DB" != postgres ]; then
        echo "CREATE DATABASE \"$POSTGRES_DB\"" | postgres --single -D "$new" -c exit_on_error=on postgres
    fi
    mv --no-target-directory "$new" "$PGDATA"
fi

# A volume's group (fsGroup) may write everything on it, and PostgreSQL refuses such a folder.
chmod 0700 "$PGDATA"
exec postgres -c listen_addresses='*' "$@"
