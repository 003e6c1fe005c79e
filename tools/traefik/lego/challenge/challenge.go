// Package challenge names what answers the challenge of a certificate authority.
package challenge

import "context"

// Provider is implemented by Traefik, for HTTP and for TLS.
type Provider interface {
	Present(ctx context.Context, domain, token, keyAuth string) error
	CleanUp(ctx context.Context, domain, token, keyAuth string) error
}
