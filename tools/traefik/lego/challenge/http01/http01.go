// Package http01 is the challenge by HTTP (RFC 8555, section 8.3).
package http01

import "time"

// PathPrefix is where an authority would ask.
const PathPrefix = "/.well-known/acme-challenge/"

// Option changes nothing.
type Option struct{}

// SetDelay says how long to wait before the authority is told.
func SetDelay(time.Duration) Option { return Option{} }
