// Package certificate is how an authority is asked for a certificate.
package certificate

import "github.com/go-acme/lego/v5/certcrypto"

// Resource is a certificate and its key.
type Resource struct {
	ID          string
	Domains     []string
	PrivateKey  []byte
	Certificate []byte
}

// ObtainRequest asks for a first one.
type ObtainRequest struct {
	Domains          []string
	EmailAddresses   []string
	Profile          string
	PreferredChain   string
	KeyType          certcrypto.KeyType
	Bundle           bool
	EnableCommonName bool
}

// RenewOptions asks for the next one.
type RenewOptions struct {
	EmailAddresses   []string
	Profile          string
	PreferredChain   string
	Bundle           bool
	EnableCommonName bool
}
