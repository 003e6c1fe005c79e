// Package dns01 is the challenge by DNS (RFC 8555, section 8.4).
package dns01

import (
	"strings"
	"time"
)

// UnFqdn is the name without the dot that ends a full one.
func UnFqdn(name string) string { return strings.TrimSuffix(name, ".") }

// Option changes nothing.
type Option struct{}

// CondOptions is an option under a condition.
func CondOptions(bool, ...Option) Option { return Option{} }

// DisableAuthoritativeNssPropagationRequirement asks the authoritative servers nothing.
func DisableAuthoritativeNssPropagationRequirement() Option { return Option{} }

// DisableRecursiveNSsPropagationRequirement asks the recursive servers nothing.
func DisableRecursiveNSsPropagationRequirement() Option { return Option{} }

// PropagationWait says how long to wait before the authority is told.
func PropagationWait(time.Duration, bool) Option { return Option{} }

// Options says which servers are asked.
type Options struct{ RecursiveNameservers []string }

// Client asks no server.
type Client struct{}

// NewClient makes one.
func NewClient(*Options) *Client { return &Client{} }

// SetDefaultClient forgets it.
func SetDefaultClient(*Client) {}
