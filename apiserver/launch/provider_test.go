package launch

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProviderBecomesAJWTAuthenticator(t *testing.T) {
	const issuer = "https://localhost:5556/dex"
	type object = map[string]any
	for name, c := range map[string]struct {
		provider Provider
		want     object // the claim mappings
	}{
		"by default": {Provider{UsernameClaim: "sub"},
			object{"username": object{"claim": "sub", "prefix": issuer + "#"}}},
		"by email": {Provider{UsernameClaim: "email"}, object{"username": object{"claim": "email", "prefix": ""}}},
		"without a prefix": {Provider{UsernameClaim: "sub", UsernamePrefix: "-"},
			object{"username": object{"claim": "sub", "prefix": ""}}},
		"with own prefixes": {Provider{UsernameClaim: "name", UsernamePrefix: "dex:", GroupsClaim: "groups",
			GroupsPrefix: "team:"}, object{
			"username": object{"claim": "name", "prefix": "dex:"}, "groups": object{"claim": "groups", "prefix": "team:"}}},
		"with groups alone": {Provider{UsernameClaim: "email", GroupsClaim: "groups"}, object{
			"username": object{"claim": "email", "prefix": ""}, "groups": object{"claim": "groups", "prefix": ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			c.provider.IssuerURL, c.provider.ClientID, c.provider.RequiredClaims = issuer, "kubernetes",
				map[string]string{"hd": "example.com"}
			text, err := authenticationConfig(&c.provider)
			if err != nil {
				t.Fatal(err)
			}
			var got object
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			want := object{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
				"jwt": []any{object{
					"issuer": object{"url": issuer, "audiences": []any{"kubernetes"}, "certificateAuthority": "",
						"egressSelectorType": "controlplane"},
					"claimMappings": c.want, "claimValidationRules": []any{object{"claim": "hd", "requiredValue": "example.com"}},
				}}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
