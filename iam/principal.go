package iam

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"tripod/region"
	"tripod/state"
)

const (
	// DefaultAccountID is the account of a new region: the one of AWS's documentation.
	DefaultAccountID = "111122223333"
	// DefaultUser is the name of a new region's administrator.
	DefaultUser = "admin"
	// AdministratorAccess is the ARN of the managed policy that allows everything.
	AdministratorAccess = "arn:aws:iam::aws:policy/AdministratorAccess"

	statusActive    = "Active"
	temporaryPrefix = "ASIA" // of the access keys of sessions
)

// ErrUnknownKey says that an access key is not the region's, or not active.
var ErrUnknownKey = errors.New("the access key is not known here")

// Principal is who made a request, once its signature is verified.
type Principal struct {
	// ARN is the principal's, such as arn:aws:iam::111122223333:user/admin or
	// arn:aws:sts::111122223333:assumed-role/NAME/SESSION.
	ARN string
	// UserID is its unique id, AIDA... for a user, AROA...:SESSION for an assumed role; the root user's is the account's.
	UserID string
	// AccountID has 12 digits.
	AccountID string
	// AccessKeyID signed the request.
	AccessKeyID string
	// IssuerARN and IssuerID are those of the role (with its path) that a session acts as; empty where the principal is a
	// user. Access entries and a cluster's creator are matched by them.
	IssuerARN, IssuerID string
	// SessionName is the role session's; empty for users, federated ones among them: their names are in ARN and UserID
	// alone.
	SessionName string
	// Policies are the ARNs of the managed policies attached, to the principal or its groups.
	Policies []string
	// Documents are the texts of its other policies: inline ones, and those of Policies that are the account's own.
	Documents []string
	// Boundary is the text of the permissions boundary; nil means that there is none.
	Boundary *string
	// SessionPolicies are the texts of the policies that narrow the session; nil means that nothing does.
	SessionPolicies []string
	// Tags are the user's or role's, and those of the session, which count before them.
	Tags map[string]string
	// Transitive are the session's tags that go on to sessions begun from it.
	Transitive map[string]string
	// SourceIdentity is who began the chain of sessions, Provider the ARN of the OIDC provider whose token began this one;
	// empty where nobody said.
	SourceIdentity, Provider string
	// Service is the AWS service that acts as the principal; empty for everybody else.
	Service string
	// MFA says that the session began with a code of an MFA device, and MFAAge how long ago that was.
	MFA    bool
	MFAAge time.Duration
	// IssuedAt is when the session began; zero for long-term credentials.
	IssuedAt time.Time
}

// IsFederated says whether the principal is a federated user: one whom a user, or root, vouches for.
func (p Principal) IsFederated() bool { return strings.HasPrefix(p.ARN, federatedPrefix(p.AccountID)) }

func federatedPrefix(accountID string) string {
	return "arn:aws:sts::" + accountID + ":federated-user/"
}

// UserName is the name of the user that the principal is; empty for a role's session, a federated user and root.
func (p Principal) UserName() string {
	if p.IssuerARN != "" || p.IsFederated() || p.IsRoot() {
		return ""
	}
	return p.ARN[strings.LastIndexByte(p.ARN, '/')+1:]
}

// givenName is the user's, the role session's or the federated user's; empty for root.
func (p Principal) givenName() string {
	if name, federated := strings.CutPrefix(p.ARN, federatedPrefix(p.AccountID)); federated {
		return name
	}
	return cmp.Or(p.SessionName, p.UserName())
}

// principalARN and principalID are the user's or the role's, with its path: what access entries go by.
func (p Principal) principalARN() string { return cmp.Or(p.IssuerARN, p.ARN) }
func (p Principal) principalID() string  { return cmp.Or(p.IssuerID, p.UserID) }

// canonicalARN is what aws-iam-authenticator and the ConfigMap aws-auth know a principal by: a role's without its path.
func (p Principal) canonicalARN() string {
	if p.IssuerARN == "" {
		return p.ARN
	}
	return "arn:aws:iam::" + p.AccountID + ":role/" + p.IssuerARN[strings.LastIndexByte(p.IssuerARN, '/')+1:]
}

// IsUserSession says whether the principal is a user, root or a federated user, by temporary credentials.
func (p Principal) IsUserSession() bool {
	return p.IssuerARN == "" && strings.HasPrefix(p.AccessKeyID, temporaryPrefix)
}

// Allowed says whether the principal's policies allow an action on a resource. What is not allowed is denied.
func (p Principal) Allowed(action, resource string) bool {
	decision, _ := p.Evaluate(action, resource, nil)
	return decision == Allowed
}

// Lookup finds the principal of an access key and the key's secret. sessionToken goes with temporary credentials, and
// is empty for long-term keys. The error wraps ErrUnknownKey where the key, or its user or role, is not there or not
// active; ErrBadSessionToken where the token is not this key's; ErrExpired. It says nothing that a caller must not see.
// The token, which proves itself, is checked here; the caller verifies the signature with the secret.
func Lookup(store state.Viewer, accessKeyID, sessionToken string, now time.Time) (Principal, string, error) {
	var (
		principal Principal
		secret    string
	)
	err := store.View(func(tx *state.Txn) (err error) {
		if strings.HasPrefix(accessKeyID, temporaryPrefix) {
			principal, secret, err = lookupSession(tx, accessKeyID, sessionToken, now)
		} else {
			principal, secret, err = lookupKey(tx, accessKeyID, sessionToken)
		}
		return err
	})
	if err != nil {
		return Principal{}, "", fmt.Errorf("look up access key: %w", err)
	}
	return principal, secret, nil
}

func lookupKey(tx *state.Txn, accessKeyID, sessionToken string) (Principal, string, error) {
	key, found := region.AccessKeys.Get(tx, accessKeyID)
	if !found || key.Status != statusActive || key.Secret == "" {
		return Principal{}, "", ErrUnknownKey
	}
	principal, found := ownerOf(tx, key)
	switch {
	case !found:
		return Principal{}, "", ErrUnknownKey
	case sessionToken != "":
		return Principal{}, "", ErrBadSessionToken
	}
	return principal, key.Secret, nil
}

// ownerOf is who signs with a long-term access key.
func ownerOf(tx *state.Txn, key region.AccessKey) (Principal, bool) {
	if key.Root {
		account, found := AccountOfKey(key.ID)
		return rootPrincipal(account, key.ID), found
	}
	user, found := region.Users.Get(tx, key.User)
	return userPrincipal(tx, user, key.ID), found
}

// lookupSession opens the token and finds whom it stands for: a role or user that was deleted, or made anew since, has
// no sessions.
func lookupSession(tx *state.Txn, accessKeyID, sessionToken string, now time.Time) (Principal, string, error) {
	key, found := region.SessionKeys.Get(tx, region.CurrentSessionKey)
	if !found {
		return Principal{}, "", ErrUnknownKey
	}
	session, err := open(key, accessKeyID, sessionToken, now)
	if err != nil {
		return Principal{}, "", err
	}
	if session.Role == "" {
		by, found := beginner(tx, session, accessKeyID)
		if !found {
			return Principal{}, "", ErrUnknownKey
		}
		principal := userSession(tx, by, session)
		principal.MFA, principal.MFAAge = session.MFA, now.Sub(session.IssuedAt)
		return principal, session.Secret, nil
	}
	role, found := region.Roles.Get(tx, session.Role)
	if !found || role.ID != session.ID {
		return Principal{}, "", ErrUnknownKey
	}
	return RoleSession(tx, role, session, accessKeyID), session.Secret, nil
}

// RoleSession is the principal that a session of the role makes of whoever has its credentials. accessKeyID may be
// empty.
func RoleSession(tx *state.Txn, role region.Role, session Session, accessKeyID string) Principal {
	principal := Principal{
		ARN:    "arn:aws:sts::" + accountOf(role.ARN) + ":assumed-role/" + role.Name + "/" + session.Name,
		UserID: role.ID + ":" + session.Name, AccountID: accountOf(role.ARN), AccessKeyID: accessKeyID,
		IssuerARN: role.ARN, IssuerID: role.ID, SessionName: session.Name,
	}
	principal.grantRole(tx, role)
	principal.begin(tx, session)
	return principal
}

// beginner is who began a session that is not a role's: a user, or root.
func beginner(tx *state.Txn, session Session, accessKeyID string) (Principal, bool) {
	if session.User == "" {
		account, _ := AccountOfKey(accessKeyID)
		return rootPrincipal(account, accessKeyID), account != "" && account == session.ID
	}
	user, found := region.Users.Get(tx, session.User)
	if !found || user.ID != session.ID {
		user, found = userWithID(tx, session.ID) // it was renamed since, or is gone
	}
	return userPrincipal(tx, user, accessKeyID), found
}

// userSession is the principal that a session of a user or root makes: that one, or with a name of its own a federated
// one, who may do what the first and the session's policies both allow, and without those nothing.
func userSession(tx *state.Txn, principal Principal, session Session) Principal {
	if session.Name != "" {
		principal.federate(session.Name)
	}
	principal.begin(tx, session)
	return principal
}

// federate makes a federated user of whoever vouches for one.
func (p *Principal) federate(name string) {
	p.ARN = federatedPrefix(p.AccountID) + name
	p.UserID = p.AccountID + ":" + name
	p.SessionPolicies = []string{}
}

// begin gives the principal what its session has.
func (p *Principal) begin(tx *state.Txn, session Session) {
	p.tag(session.Tags)
	for _, key := range session.Transitive {
		if p.Transitive == nil {
			p.Transitive = map[string]string{}
		}
		p.Transitive[key] = session.Tags[key]
	}
	if session.Policy != "" {
		p.SessionPolicies = append(p.SessionPolicies, session.Policy)
	}
	for _, arn := range session.PolicyARNs {
		text, _ := PolicyDocument(tx, arn) // one that is gone allows nothing: it cannot be read
		p.SessionPolicies = append(p.SessionPolicies, text)
	}
	p.SourceIdentity, p.Provider, p.IssuedAt = session.SourceIdentity, session.Provider, session.IssuedAt
	p.Service = session.Service
}

func userPrincipal(tx *state.Txn, user region.User, accessKeyID string) Principal {
	principal := Principal{ARN: user.ARN, UserID: user.ID, AccountID: accountOf(user.ARN), AccessKeyID: accessKeyID}
	principal.grantUser(tx, user)
	return principal
}

// accountOf is an ARN's fifth field.
func accountOf(arn string) string {
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) < 6 {
		return ""
	}
	return fields[4]
}
