package sts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const webIdentityAction = "sts:AssumeRoleWithWebIdentity"

type webIdentityInput struct {
	roleInput
	WebIdentityToken string  `query:",required"`
	ProviderID       *string `query:"ProviderId"`
}

// WebIdentityRole is the result of AssumeRoleWithWebIdentity.
type WebIdentityRole struct {
	Credentials      Credentials
	Subject          string `xml:"SubjectFromWebIdentityToken" json:"SubjectFromWebIdentityToken"`
	AssumedRoleUser  AssumedRoleUser
	Provider         string
	Audience         string
	PackedPolicySize *int `json:",omitempty"`
}

// assumeWithWebIdentity makes credentials of a role for who has a token of an issuer that the role trusts: a service
// account of one of the region's clusters, or a user of an identity provider on this machine. The call is not signed;
// the token is its proof.
func (s *Service) assumeWithWebIdentity(call *operation.Call, in *webIdentityInput) (*WebIdentityRole, error) {
	account, name, err := in.check()
	if err != nil {
		return nil, err
	}
	if in.ProviderID != nil {
		return nil, invalid("ProviderId is for OAuth 2.0 access tokens, which Tripod does not have: " +
			"leave it out, an OpenID Connect token names its issuer itself.")
	}
	id, err := iam.ParseWebToken(in.WebIdentityToken)
	if err != nil {
		return nil, invalidToken("The ID Token provided is not a valid JWT.")
	}
	seen, err := s.identify(call.Request.Context(), id, account)
	if err != nil {
		return nil, err
	}
	var (
		role    region.Role
		granted bool
	)
	err = s.State.View(func(tx *state.Txn) error {
		found := false
		role, found = region.Roles.Get(tx, name)
		granted = found && role.ARN == in.RoleARN
		return nil
	})
	if err != nil {
		return nil, err
	}
	if granted {
		if granted, err = trustsIdentity(call, role, id, seen, in.RoleSessionName); err != nil {
			return nil, err
		}
	}
	if !granted {
		return nil, &wire.Error{Code: "AccessDenied", Status: http.StatusForbidden,
			Message: "Not authorized to perform " + webIdentityAction}
	}
	life, err := roleLife(in.DurationSeconds, role)
	if err != nil {
		return nil, err
	}
	session := iam.Session{Role: role.Name, ID: role.ID, Name: in.RoleSessionName, Provider: seen.provider}
	if err := s.narrow(&session, in.narrowing); err != nil {
		return nil, err
	}
	credentials, size, err := s.issue(call, account, session, life)
	if err != nil {
		return nil, err
	}
	return &WebIdentityRole{
		Credentials: credentials, Subject: id.Subject, Provider: seen.provider, Audience: seen.audience,
		AssumedRoleUser: roleUser(role, account, session.Name), PackedPolicySize: size,
	}, nil
}

// identified is what a verified token says beside its subject.
type identified struct{ provider, issuer, audience string }

// identify verifies a token: its issuer must be a provider of the account, and it must be for one of the provider's
// clients. Keys of the region's own clusters are at hand; those of others are fetched.
func (s *Service) identify(ctx context.Context, id iam.WebToken, accountID string) (identified, error) {
	issuer := strings.TrimPrefix(id.Issuer, "https://")
	seen := identified{provider: "arn:aws:iam::" + accountID + ":oidc-provider/" + issuer, issuer: issuer}
	var (
		provider region.OIDCProvider
		found    bool
		key      string
	)
	err := s.State.View(func(tx *state.Txn) error {
		provider, found = region.OIDCProviders.Get(tx, seen.provider)
		for _, cluster := range region.Clusters.List(tx) {
			if cluster.Issuer == id.Issuer {
				key = cluster.Secrets.ServiceAccountKey
			}
		}
		return nil
	})
	if err != nil {
		return seen, err
	}
	if !found || !strings.HasPrefix(id.Issuer, "https://") {
		return seen, invalidToken("No OpenIDConnect provider found in your account for the token's issuer: " +
			"make one with iam create-open-id-connect-provider.")
	}
	signed, err := s.signed(ctx, id, provider, key)
	if errors.Is(err, iam.ErrIssuer) {
		return seen, invalidToken(fmt.Sprintf("The token cannot be verified: %v.", err))
	}
	if err != nil {
		return seen, err
	}
	if !signed {
		return seen, invalidToken("The token's signature is not its issuer's.")
	}
	if !id.Timely(s.now()) {
		return seen, &wire.Error{Code: "ExpiredTokenException", Status: http.StatusBadRequest,
			Message: "The web identity token is expired, or not valid yet."}
	}
	for _, audience := range id.Audiences() {
		if slices.Contains(provider.ClientIDs, audience) {
			seen.audience = audience
			return seen, nil
		}
	}
	return seen, invalidToken("Incorrect token audience")
}

// signed says whether the issuer signed the token. key is the own cluster's that is the issuer, in PEM, and empty for a
// foreign one.
func (s *Service) signed(ctx context.Context, id iam.WebToken, provider region.OIDCProvider, key string) (bool, error) {
	if key == "" {
		return s.Issuers.Verify(ctx, id, provider.Thumbprints)
	}
	public, err := iam.PublicKey(key)
	if err != nil {
		return false, err
	}
	return id.SignedBy(public), nil
}

// trustsIdentity asks the role's trust policy. Its condition keys are ISSUER:aud and ISSUER:sub.
func trustsIdentity(call *operation.Call, role region.Role, id iam.WebToken, seen identified, name string) (bool,
	error) {
	trust, err := iam.TrustOf(role)
	if err != nil {
		return false, err
	}
	issuer := strings.ToLower(seen.issuer)
	return iam.Allowed == iam.Decide(iam.Request{
		Action: webIdentityAction, Resource: role.ARN,
		Keys: call.Keys.With(iam.TagKeys("aws:ResourceTag", role.Tags), iam.Keys{
			issuer + ":aud": {seen.audience}, issuer + ":sub": {id.Subject}, "sts:rolesessionname": {name},
			"aws:federatedprovider": {seen.provider},
		}),
		Principal: func(kind, element string) bool { return kind == "Federated" && element == seen.provider },
	}, trust), nil
}

func invalidToken(message string) error {
	return &wire.Error{Code: "InvalidIdentityToken", Status: http.StatusBadRequest, Message: message}
}
