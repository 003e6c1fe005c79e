// Package lego stands in for the client of certificate authorities that Traefik is compiled with.
//
// That client brings the libraries of more than a hundred providers of DNS. No Traefik of this project asks an authority
// for a certificate, so here is what Traefik's source names of it, and whoever uses it gets an error.
package lego

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/certificate"
	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"
	"github.com/go-acme/lego/v5/challenge/http01"
	"github.com/go-acme/lego/v5/challenge/tlsalpn01"
	"github.com/go-acme/lego/v5/registration"
)

// DirectoryURLLetsEncrypt is the authority that Traefik's settings name where they say nothing.
const DirectoryURLLetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// Config says which authority is asked, and how.
type Config struct {
	CADirURL    string
	UserAgent   string
	Certificate struct{ Timeout time.Duration }
	HTTPClient  *http.Client
}

// NewConfig is that of any account.
func NewConfig(any) *Config { return &Config{} }

// Client is never made.
type Client struct {
	Certificate  certifier
	Challenge    challenges
	Registration registrar
}

// NewClient makes none.
func NewClient(*Config) (*Client, error) { return nil, errors.ErrUnsupported }

// CreateCertPool reads no certificate.
func CreateCertPool([]string, bool) (*x509.CertPool, error) { return nil, errors.ErrUnsupported }

type certifier struct{}

func (certifier) Obtain(context.Context, certificate.ObtainRequest) (*certificate.Resource, error) {
	return nil, errors.ErrUnsupported
}

func (certifier) Renew(
	context.Context, certificate.Resource, *certificate.RenewOptions,
) (*certificate.Resource, error) {
	return nil, errors.ErrUnsupported
}

type challenges struct{}

func (challenges) SetDNS01Provider(challenge.Provider, ...dns01.Option) error {
	return errors.ErrUnsupported
}

func (challenges) SetHTTP01Provider(challenge.Provider, ...http01.Option) error {
	return errors.ErrUnsupported
}

func (challenges) SetTLSALPN01Provider(challenge.Provider, ...tlsalpn01.Option) error {
	return errors.ErrUnsupported
}

type registrar struct{}

func (registrar) Register(context.Context, registration.RegisterOptions) (*acme.ExtendedAccount, error) {
	return nil, errors.ErrUnsupported
}

func (registrar) RegisterWithExternalAccountBinding(
	context.Context, registration.RegisterEABOptions,
) (*acme.ExtendedAccount, error) {
	return nil, errors.ErrUnsupported
}
