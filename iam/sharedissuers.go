package iam

import "strings"

// sharedIssuers are OpenID Connect issuers that sign tokens for whoever has an account with them, and the claim by
// which a trust policy must tell its own tokens from others', after "Identity-provider controls for shared OIDC
// providers" of the IAM User Guide.
var sharedIssuers = map[string]string{
	"agent.buildkite.com":                                "sub",
	"oidc.codefresh.io":                                  "sub",
	"studio.datachain.ai/api":                            "sub",
	"token.actions.githubusercontent.com":                "sub",
	"vstoken.actions.githubusercontent.com":              "sub",
	"oidc-configuration.audit-log.githubusercontent.com": "sub",
	"gitlab.com": "sub",
	"rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7": "sub",
	"api.pulumi.com/oidc":     "aud",
	"sandboxes.cloud":         "aud",
	"scalr.io":                "sub",
	"tokens.cloud.shisho.dev": "sub",
	"app.terraform.io":        "sub",
	"proidc.upbound.io":       "sub",
	"oidc.vercel.com":         "aud",
}

// narrowed refuses a statement that trusts a shared issuer's tokens whosever they are: one without a condition on the
// claim, or with one that only wildcards or nothing fulfil. IAM looks when the policy is stored.
func (s grammarStatement) narrowed() error {
	if s["Effect"] == effectDeny {
		return nil
	}
	principal, _ := s["Principal"].(map[string]any)
	for _, provider := range grammarStatement(principal).texts("Federated") {
		_, issuer, isProvider := strings.Cut(provider, ":oidc-provider/")
		claim := sharedIssuers[issuer]
		if isProvider && claim != "" && !s.tells(issuer+":"+claim) {
			return malformed(saysShared, issuer+":"+claim)
		}
	}
	return nil
}

// tells says whether a condition of the statement limits the key to values that are more than wildcards.
func (s grammarStatement) tells(key string) bool {
	conditions, _ := s["Condition"].(map[string]any)
	told := false
	for operator, keys := range conditions {
		if strings.EqualFold(operator, "Null") {
			continue
		}
		operands, _ := keys.(map[string]any)
		for name := range operands {
			if !strings.EqualFold(name, key) {
				continue
			}
			for _, value := range grammarStatement(operands).texts(name) {
				if strings.Trim(value, "*?") == "" {
					return false
				}
				told = true
			}
		}
	}
	return told
}
