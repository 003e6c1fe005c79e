#!/bin/sh
# Starts nginx as any user, after filling in the templates as the official image does: /etc/nginx/templates/NAME.template
# becomes /etc/nginx/conf.d/NAME. The variables that NGINX_ENVSUBST_FILTER matches are replaced, NGINX_LOCAL_RESOLVERS
# (the DNS servers of /etc/resolv.conf) among them.
set -eu

NGINX_LOCAL_RESOLVERS=
while read -r word address _ || [ -n "$word" ]; do
    [ "$word" = nameserver ] || continue
    case "$address" in *:*) address="[$address]" ;; esac
    NGINX_LOCAL_RESOLVERS="$NGINX_LOCAL_RESOLVERS${NGINX_LOCAL_RESOLVERS:+ }$address"
done </etc/resolv.conf
export NGINX_LOCAL_RESOLVERS

variables=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' | grep -E "${NGINX_ENVSUBST_FILTER:-}" | sed 's/^/$/')
for template in /etc/nginx/templates/*.template; do
    [ -e "$template" ] || continue
    name=$(basename "$template" .template)
    envsubst "$variables" <"$template" >"/etc/nginx/conf.d/$name"
done

exec nginx -e stderr -g 'daemon off;' "$@"
