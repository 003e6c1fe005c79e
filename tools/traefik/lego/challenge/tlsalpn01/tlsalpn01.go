// Package tlsalpn01 is the challenge by TLS (RFC 8737).
package tlsalpn01

import (
	"errors"
	"time"
)

// ACMETLS1Protocol is what an authority would name in its handshake; Traefik's routers leave such a handshake alone.
const ACMETLS1Protocol = "acme-tls/1"

// Option changes nothing.
type Option struct{}

// SetDelay says how long to wait before the authority is told.
func SetDelay(time.Duration) Option { return Option{} }

// ChallengeBlocks makes no certificate.
func ChallengeBlocks(_, _ string) (certificate, key []byte, err error) {
	return nil, nil, errors.ErrUnsupported
}
