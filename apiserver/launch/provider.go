package launch

import (
	"encoding/json"

	"tripod/internal/pki"
)

// Provider is an OpenID Connect provider whose users a cluster lets in beside IAM's.
type Provider struct {
	IssuerURL, ClientID           string
	UsernameClaim, UsernamePrefix string
	GroupsClaim, GroupsPrefix     string            // no claim: users have no groups
	RequiredClaims                map[string]string // what tokens must say, by claim
	CertificateAuthority          string            // in PEM; empty: those that the system trusts
}

const authenticationFile = "authentication.json"

// WriteAuthentication makes the file of the provider, or of none. The API server reads it anew when it changes.
func (a APIServer) WriteAuthentication() error {
	text, err := authenticationConfig(a.Provider)
	if err != nil {
		return err
	}
	return pki.Write(a.file(authenticationFile), text)
}

// authenticationConfig is an AuthenticationConfiguration (apiserver.config.k8s.io/v1). An empty prefix of user names
// becomes the issuer's URL and #, and "-" none, as AssociateIdentityProviderConfig documents it; a user named by email
// has none anyway.
func authenticationConfig(p *Provider) ([]byte, error) {
	type object = map[string]any
	config := object{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration"}
	if p != nil {
		prefix := p.UsernamePrefix
		switch {
		case prefix == "-", prefix == "" && p.UsernameClaim == "email":
			prefix = ""
		case prefix == "":
			prefix = p.IssuerURL + "#"
		}
		mappings := object{"username": object{"claim": p.UsernameClaim, "prefix": prefix}}
		if p.GroupsClaim != "" {
			mappings["groups"] = object{"claim": p.GroupsClaim, "prefix": p.GroupsPrefix}
		}
		rules := []object{}
		for claim, value := range p.RequiredClaims {
			rules = append(rules, object{"claim": claim, "requiredValue": value})
		}
		config["jwt"] = []object{{
			"issuer": object{
				"url": p.IssuerURL, "audiences": []string{p.ClientID}, "certificateAuthority": p.CertificateAuthority,
				"egressSelectorType": "controlplane", // the gateway decides whether it is asked
			},
			"claimMappings": mappings, "claimValidationRules": rules,
		}}
	}
	return json.MarshalIndent(config, "", "  ")
}
