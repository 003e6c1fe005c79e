// Package acme is what an authority says of an account (RFC 8555, section 7.1.2).
package acme

// Account is one that nobody has.
type Account struct{}

// ExtendedAccount is an account and its address.
type ExtendedAccount struct {
	Account
	Location string
}
