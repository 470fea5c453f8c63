package sts

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const (
	defaultSession = time.Hour
	maxChained     = time.Hour // of a role's session made by another role's

	assumeRole        = "sts:AssumeRole"
	tagSession        = "sts:TagSession"
	setSourceIdentity = "sts:SetSourceIdentity"
)

var roleARN = regexp.MustCompile(`^arn:aws:iam::(\d{12}):role/(?:[!-~]+/)?([\w+=,.@-]{1,64})$`)

// Credentials are temporary credentials as STS writes them.
type Credentials struct {
	AccessKeyID     string `xml:"AccessKeyId" json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

// roleInput names a role and the session that a call begins of it.
type roleInput struct {
	RoleARN         string `query:"RoleArn,required"`
	RoleSessionName string `query:",required"`
	DurationSeconds *int
	narrowing
}

// check returns the role's account and name.
func (in *roleInput) check() (account, name string, err error) {
	parts := roleARN.FindStringSubmatch(in.RoleARN)
	if parts == nil {
		return "", "", invalid(in.RoleARN + " is invalid")
	}
	return parts[1], parts[2], nil
}

type assumeRoleInput struct {
	roleInput
	ExternalID        *string `query:"ExternalId"`
	SourceIdentity    *string
	Tags              []Tag
	TransitiveTagKeys []string
	device
}

// AssumedRole is the result of AssumeRole.
type AssumedRole struct {
	Credentials      Credentials
	AssumedRoleUser  AssumedRoleUser
	PackedPolicySize *int   `json:",omitempty"`
	SourceIdentity   string `xml:",omitempty" json:",omitempty"`
}

// AssumedRoleUser is who the credentials make of their bearer.
type AssumedRoleUser struct {
	AssumedRoleID string `xml:"AssumedRoleId" json:"AssumedRoleId"`
	ARN           string `xml:"Arn" json:"Arn"`
}

// assumeRole makes credentials of a role for a principal that the role trusts.
func (s *Service) assumeRole(call *operation.Call, in *assumeRoleInput) (*AssumedRole, error) {
	account, name, err := in.roleInput.check()
	if err != nil {
		return nil, err
	}
	mfa, err := s.take(call, in.device)
	if err != nil {
		return nil, err
	}
	session := iam.Session{Name: in.RoleSessionName}
	if err := in.mark(&session, call.Principal); err != nil {
		return nil, err
	}
	role, err := s.trusting(call, in, name, session, mfa)
	if err != nil {
		return nil, err
	}
	life, err := roleLife(in.DurationSeconds, role)
	switch {
	case err != nil:
		return nil, err
	case call.Principal.IssuerARN != "" && life > maxChained:
		return nil, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by " +
			"role chaining.")
	}
	if err := s.narrow(&session, in.narrowing); err != nil {
		return nil, err
	}
	session.Role, session.ID = role.Name, role.ID
	credentials, size, err := s.issue(call, account, session, life)
	if err != nil {
		return nil, err
	}
	return &AssumedRole{Credentials: credentials, AssumedRoleUser: roleUser(role, account, session.Name),
		PackedPolicySize: size,
		SourceIdentity:   session.SourceIdentity}, nil
}

// mark gives the session its tags and source identity: those of the call, and what goes on from the session by which it
// is made.
func (in *assumeRoleInput) mark(session *iam.Session, by iam.Principal) error {
	tags, err := sessionTags(in.Tags)
	if err != nil {
		return err
	}
	inherited := map[string]bool{}
	for key := range by.Transitive {
		inherited[strings.ToLower(key)] = true
	}
	for _, key := range append(slices.Collect(maps.Keys(tags)), in.TransitiveTagKeys...) {
		if inherited[strings.ToLower(key)] {
			return invalidParameter("One of the specified transitive tag keys can't be set " +
				"because it conflicts with a transitive tag key from the calling session.")
		}
	}
	for _, key := range in.TransitiveTagKeys {
		if _, found := tags[key]; !found {
			return invalidParameter("The transitive tag key " + clip(key) + " is none of the session's tags.")
		}
	}
	maps.Copy(tags, by.Transitive)
	session.Tags = tags
	session.Transitive = append(slices.Sorted(maps.Keys(by.Transitive)), in.TransitiveTagKeys...)
	session.SourceIdentity = by.SourceIdentity
	if in.SourceIdentity != nil {
		if session.SourceIdentity != "" && session.SourceIdentity != *in.SourceIdentity {
			return forbidden("The source identity of a chain of sessions cannot be changed: it is set already.")
		}
		session.SourceIdentity = *in.SourceIdentity
	}
	return nil
}

// keys are the condition keys of the session that a call asks for, of role.
func (in *assumeRoleInput) keys(session iam.Session, role region.Role) iam.Keys {
	keys := iam.TagKeys("aws:RequestTag", session.Tags).With(iam.TagKeys("aws:ResourceTag", role.Tags),
		iam.TagKeys("iam:ResourceTag", role.Tags))
	keys["sts:rolesessionname"] = []string{session.Name}
	if len(session.Tags) > 0 {
		keys["aws:tagkeys"] = slices.Sorted(maps.Keys(session.Tags))
	}
	if len(session.Transitive) > 0 {
		keys["sts:transitivetagkeys"] = session.Transitive
	}
	if session.SourceIdentity != "" {
		keys["sts:sourceidentity"] = []string{session.SourceIdentity}
	}
	if in.ExternalID != nil {
		keys["sts:externalid"] = []string{*in.ExternalID}
	}
	return keys
}

func roleUser(role region.Role, accountID, session string) AssumedRoleUser {
	return AssumedRoleUser{AssumedRoleID: role.ID + ":" + session,
		ARN: "arn:aws:sts::" + accountID + ":assumed-role/" + role.Name + "/" + session}
}

// trusting is the role, if it trusts the caller with the session. A role that is not there is denied in the same words
// as one that trusts somebody else: who may not assume a role does not learn whether it exists.
func (s *Service) trusting(call *operation.Call, in *assumeRoleInput, name string, session iam.Session,
	mfa bool) (region.Role, error) {
	denied := func(action, reason string) error {
		return wire.AccessDenied(wire.Query, call.Principal.ARN, action, in.RoleARN, reason)
	}
	var role region.Role
	err := s.State.View(func(tx *state.Txn) error {
		found := false
		if role, found = region.Roles.Get(tx, name); !found || role.ARN != in.RoleARN {
			return denied(assumeRole, "because no resource-based policy allows the sts:AssumeRole action")
		}
		return nil
	})
	if err != nil {
		return role, err
	}
	trust, err := iam.TrustOf(role)
	if err != nil {
		return role, err
	}
	actions := []string{assumeRole}
	if len(session.Tags) > 0 {
		actions = append(actions, tagSession)
	}
	if session.SourceIdentity != "" {
		actions = append(actions, setSourceIdentity)
	}
	keys := call.Keys.With(in.keys(session, role))
	if mfa { // it counts for this call alone: the role's session has none
		keys["aws:multifactorauthpresent"], keys["aws:multifactorauthage"] = []string{"true"}, []string{"0"}
	}
	for _, action := range actions {
		if may, reason := call.Principal.MayAssume(action, in.RoleARN, trust, keys); !may {
			return role, denied(action, reason)
		}
	}
	return role, nil
}

// roleLife is how long a role's session lasts.
func roleLife(seconds *int, role region.Role) (time.Duration, error) {
	longest := time.Duration(max(role.MaxSessionSeconds, 3600)) * time.Second
	life := duration(seconds, min(defaultSession, longest))
	if life > longest {
		return 0, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return life, nil
}
