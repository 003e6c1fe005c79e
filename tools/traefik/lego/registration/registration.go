// Package registration is how an account is asked for.
package registration

// RegisterOptions asks for one.
type RegisterOptions struct{ TermsOfServiceAgreed bool }

// RegisterEABOptions asks for one that belongs to an account elsewhere.
type RegisterEABOptions struct {
	TermsOfServiceAgreed bool
	Kid                  string
	HmacEncoded          string
}
