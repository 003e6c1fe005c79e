// Package ext is where a distribution of Traefik adds fields of its own to the configuration. This one adds none.
//
// Traefik's module takes it from a module nested in its repository, which is not published.
package ext

// HTTP is embedded in all that is said of HTTP.
type HTTP struct{}

// Router is embedded in a router of HTTP.
type Router struct{}
