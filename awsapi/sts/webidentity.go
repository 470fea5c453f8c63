package sts

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
)

const webIdentityAction = "sts:AssumeRoleWithWebIdentity"

// WebIdentityRole is the result of AssumeRoleWithWebIdentity.
type WebIdentityRole struct {
	Credentials     Credentials
	Subject         string `xml:"SubjectFromWebIdentityToken" json:"SubjectFromWebIdentityToken"`
	AssumedRoleUser AssumedRoleUser
	Provider        string
	Audience        string
}

// assumeWithWebIdentity makes credentials of a role for who has a token of an issuer that the role trusts: a service account of one of the
// region's clusters. The call is not signed; the token is its proof. Foreign issuers are refused, as their keys would have to be fetched.
func (s *Service) assumeWithWebIdentity(call *wire.Call) (*WebIdentityRole, error) {
	for name := range call.Params {
		if parameter, _, _ := strings.Cut(name, "."); slices.Contains([]string{"PolicyArns", "ProviderId"}, parameter) {
			return nil, invalid("Tripod does not have AssumeRoleWithWebIdentity's parameter " + parameter + " yet: leave it out.")
		}
	}
	arn, name := call.Params.Get("RoleArn"), call.Params.Get("RoleSessionName")
	parts := roleARN.FindStringSubmatch(arn)
	switch {
	case parts == nil:
		return nil, invalid("RoleArn must be a role's ARN, such as arn:aws:iam::111122223333:role/NAME.")
	case !sessionName.MatchString(name):
		return nil, invalid("RoleSessionName must be 2 to 64 letters, digits and characters of _+=,.@-.")
	}
	id, err := iam.ParseWebToken(call.Params.Get("WebIdentityToken"))
	if err != nil {
		return nil, invalidToken("The ID Token provided is not a valid JWT.")
	}
	var (
		role    region.Role
		granted bool
		seen    identified
	)
	err = s.State.View(func(tx *region.Txn) (err error) {
		if seen, err = s.identify(tx, id, parts[1]); err != nil {
			return err
		}
		found := false
		role, found = region.Roles.Get(tx, parts[2])
		granted = found && role.ARN == arn
		return nil
	})
	if err != nil {
		return nil, err
	}
	if granted {
		if granted, err = trustsIdentity(role, id, seen, name); err != nil {
			return nil, err
		}
	}
	if !granted {
		return nil, &wire.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: "Not authorized to perform " + webIdentityAction}
	}
	life, err := sessionLife(call, role)
	if err != nil {
		return nil, err
	}
	policy, err := sessionPolicy(call)
	if err != nil {
		return nil, err
	}
	now := s.now().UTC().Truncate(time.Second)
	credentials, err := s.issue(call, parts[1], iam.Session{Role: role.Name, ID: role.ID, Name: name, Policy: policy, IssuedAt: now, Expires: now.Add(life)})
	if err != nil {
		return nil, err
	}
	return &WebIdentityRole{
		Credentials: credentials, Subject: id.Subject, Provider: seen.provider, Audience: seen.audience, AssumedRoleUser: roleUser(role, parts[1], name),
	}, nil
}

// identified is what a verified token says beside its subject.
type identified struct{ provider, issuer, audience string }

// identify verifies a token: its issuer must be a provider of the account and a cluster of the region, and it must be for one of the
// provider's clients.
func (s *Service) identify(tx *region.Txn, id iam.WebToken, accountID string) (identified, error) {
	issuer := strings.TrimPrefix(id.Issuer, "https://")
	seen := identified{provider: "arn:aws:iam::" + accountID + ":oidc-provider/" + issuer, issuer: issuer}
	provider, found := region.OIDCProviders.Get(tx, seen.provider)
	if !found || !strings.HasPrefix(id.Issuer, "https://") {
		return seen, invalidToken("No OpenIDConnect provider found in your account for the token's issuer: make one with iam create-open-id-connect-provider.")
	}
	clusters := region.Clusters.List(tx)
	i := slices.IndexFunc(clusters, func(c region.Cluster) bool { return c.Issuer == id.Issuer && c.Secrets.ServiceAccountKey != "" })
	if i < 0 {
		return seen, invalidToken("Tripod verifies tokens of its own clusters only: the token's issuer is none of them.")
	}
	key, err := iam.PublicKey(clusters[i].Secrets.ServiceAccountKey)
	if err != nil {
		return seen, err
	}
	if !id.SignedBy(key) {
		return seen, invalidToken("The token's signature is not its issuer's.")
	}
	if !id.Timely(s.now()) {
		return seen, &wire.Error{Code: "ExpiredTokenException", Status: http.StatusBadRequest, Message: "The web identity token is expired, or not valid yet."}
	}
	for _, audience := range id.Audiences() {
		if slices.Contains(provider.ClientIDs, audience) {
			seen.audience = audience
			return seen, nil
		}
	}
	return seen, invalidToken("Incorrect token audience")
}

// trustsIdentity asks the role's trust policy. Its condition keys are ISSUER:aud and ISSUER:sub.
func trustsIdentity(role region.Role, id iam.WebToken, seen identified, name string) (bool, error) {
	trust, err := iam.ParseTrust(role.TrustPolicy)
	if err != nil {
		return false, fmt.Errorf("trust policy of role %s: %w", role.Name, err)
	}
	issuer := strings.ToLower(seen.issuer)
	return iam.Allowed == iam.Decide(iam.Request{
		Action: webIdentityAction, Resource: role.ARN,
		Keys:      iam.Keys{issuer + ":aud": {seen.audience}, issuer + ":sub": {id.Subject}, "sts:rolesessionname": {name}, "aws:federatedprovider": {seen.provider}},
		Principal: func(kind, element string) bool { return kind == "Federated" && element == seen.provider },
	}, trust), nil
}

func invalidToken(message string) error {
	return &wire.Error{Code: "InvalidIdentityToken", Status: http.StatusBadRequest, Message: message}
}
