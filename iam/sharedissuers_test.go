package iam_test

import (
	"strings"
	"testing"

	"tripod/iam"
)

func TestSharedIssuersNeedAConditionOnWhoseTokensTheySign(t *testing.T) {
	const github, pulumi = "token.actions.githubusercontent.com", "api.pulumi.com/oidc"
	on := func(issuer, effect, condition string) string {
		return managed(`{"Effect":"` + effect + `","Principal":{"Federated":["arn:aws:iam::111122223333:oidc-provider/` +
			issuer +
			`"]},"Action":"sts:AssumeRoleWithWebIdentity"` + condition + `}`)
	}
	for policy, taken := range map[string]bool{
		on(github, "Allow", ""): false, on(github, "Deny", ""): true, on("idp.example.com", "Allow", ""): true,
		on(github, "Allow", `,"Condition":{"StringEquals":{"`+github+`:aud":"sts.amazonaws.com"}}`):             false,
		on(github, "Allow", `,"Condition":{"StringLike":{"`+github+`:sub":"repo:o/r:*"}}`):                      true,
		on(github, "Allow", `,"Condition":{"StringLike":{"TOKEN.actions.githubusercontent.com:Sub":"repo:*"}}`): true,
		on(github, "Allow", `,"Condition":{"StringLike":{"`+github+`:sub":"*"}}`):                               false,
		on(github, "Allow", `,"Condition":{"StringLike":{"`+github+`:sub":["repo:o/r:*","?*"]}}`):               false,
		on(github, "Allow", `,"Condition":{"StringEquals":{"`+github+`:sub":""}}`):                              false,
		on(github, "Allow", `,"Condition":{"Null":{"`+github+`:sub":"false"}}`):                                 false,
		on(pulumi, "Allow", `,"Condition":{"StringEquals":{"`+pulumi+`:sub":"x"}}`):                             false,
		on(pulumi, "Allow", `,"Condition":{"ForAnyValue:StringEquals":{"`+pulumi+`:aud":"org"}}`):               true,
	} {
		if err := iam.CheckTrust(policy); (err == nil) != taken || err != nil &&
			!strings.Contains(err.Error(), "must have a condition on ") {
			t.Errorf("%s: got %v", policy, err)
		}
	}
}
