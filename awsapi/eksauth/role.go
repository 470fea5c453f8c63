package eksauth

import (
	"crypto/rand"
	"errors"
	"maps"
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
	// sessionLife is how long a pod's credentials last, and chainedLife how long those of a target role, whatever the
	// roles' own limits.
	sessionLife = 6 * time.Hour
	chainedLife = time.Hour
	// mostNamed is how many characters of the cluster's and the pod's name a session's name has at most: with a UUID it
	// must stay within 64.
	mostNamed = 10
)

// errUntrusted is what EKS Auth answers where a role is missing or does not trust it: which of the two it does not
// tell.
var errUntrusted = refusal("AccessDeniedException",
	"Unauthorized Exception! EKS does not have permissions to assume the associated role.")

// assumed is a role and the session that is to be sealed into credentials.
type assumed struct {
	role    region.Role
	session iam.Session
}

// assume asks the association's role, and the target role behind it, whether they are given to the pod.
func (s *Service) assume(p pod) (assumed, error) {
	var got assumed
	err := s.State.View(func(tx *state.Txn) (err error) {
		got, err = s.assumeIn(tx, p)
		return err
	})
	return got, err
}

func (s *Service) assumeIn(tx *state.Txn, p pod) (assumed, error) {
	clusterARN := "arn:aws:eks:" + s.Region + ":" + s.AccountID + ":cluster/" + p.cluster.Name
	name := sessionName(p)
	tags := p.tags(clusterARN)
	role, trust, err := trusting(tx, p.association.RoleARN)
	if err != nil {
		return assumed{}, err
	}
	keys := tagKeys(tags)
	keys["sts:rolesessionname"] = []string{name}
	keys["aws:sourceaccount"] = []string{s.AccountID}
	keys["aws:sourcearn"] = []string{clusterARN}
	keys["aws:principalisawsservice"] = []string{"true"}
	keys["aws:principalservicename"] = []string{servicePrincipal}
	for _, action := range actions(tags) {
		request := iam.Request{Action: action, Resource: role.ARN, Keys: keys,
			Principal: func(kind, element string) bool { return kind == "Service" && element == servicePrincipal }}
		if iam.Decide(request, trust) != iam.Allowed {
			return assumed{}, errUntrusted
		}
	}
	now := s.now().UTC().Truncate(time.Second)
	session := iam.Session{
		Role: role.Name, ID: role.ID, Name: name, Tags: tags, Transitive: slices.Sorted(maps.Keys(tags)), IssuedAt: now,
		Expires: now.Add(sessionLife),
	}
	if p.association.TargetRoleARN == "" {
		session.Policy = p.association.Policy
		return assumed{role, session}, nil
	}
	target, err := chained(tx, iam.RoleSession(tx, role, session, ""), p.association, session)
	if err != nil {
		return assumed{}, err
	}
	session.Role, session.ID, session.Expires, session.Policy = target.Name, target.ID, now.Add(chainedLife),
		p.association.Policy
	return assumed{target, session}, nil
}

// chained is the association's target role, if the first role's session may assume it: that one's policies and the
// target's trust policy both count, and the tags go along.
func chained(tx *state.Txn, by iam.Principal, association region.PodIdentityAssociation,
	session iam.Session) (region.Role, error) {
	target, trust, err := trusting(tx, association.TargetRoleARN)
	if err != nil {
		return target, err
	}
	keys := tagKeys(session.Tags)
	keys["sts:rolesessionname"] = []string{session.Name}
	keys["sts:externalid"] = []string{association.ExternalID}
	for _, action := range actions(session.Tags) {
		if may, _ := by.MayAssume(action, target.ARN, trust, keys); !may {
			return target, errUntrusted
		}
	}
	return target, nil
}

// actions are what a role's trust policy has to allow.
func actions(tags map[string]string) []string {
	if len(tags) == 0 {
		return []string{"sts:AssumeRole"}
	}
	return []string{"sts:AssumeRole", "sts:TagSession"}
}

// tagKeys are the condition keys of a request that brings session tags, all of them transitive.
func tagKeys(tags map[string]string) iam.Keys {
	keys := iam.Keys{}
	for key, value := range tags {
		keys["aws:requesttag/"+key] = []string{value}
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], key)
		keys["sts:transitivetagkeys"] = append(keys["sts:transitivetagkeys"], key)
	}
	return keys
}

// trusting is the role with that ARN and its trust policy.
func trusting(tx *state.Txn, arn string) (region.Role, *iam.Document, error) {
	role, found := region.Roles.Get(tx, arn[strings.LastIndexByte(arn, '/')+1:])
	if !found || role.ARN != arn {
		return role, nil, errUntrusted
	}
	trust, err := iam.TrustOf(role)
	if err != nil {
		return role, nil, err
	}
	return role, trust, nil
}

// sessionName is eks-CLUSTER-POD-UUID, names cut short.
func sessionName(p pod) string {
	short := func(name string) string { return name[:min(len(name), mostNamed)] }
	return "eks-" + short(p.cluster.Name) + "-" + short(p.bound.Pod.Name) + "-" + wire.NewRequestID()
}

// issue makes the credentials, and the answer with them.
func (s *Service) issue(call *operation.Call, p pod, got assumed) (Answer, error) {
	made, err := iam.Issue(call.Request.Context(), s.State, rand.Reader, s.AccountID, got.session)
	if errors.Is(err, iam.ErrTokenTooLong) {
		return Answer{}, refusal("InvalidRequestException",
			"The association's policy and session tags are too large together.")
	}
	if err != nil {
		return Answer{}, err
	}
	return Answer{
		Subject:     Subject{p.bound.Namespace, p.bound.ServiceAccount.Name},
		Audience:    Audience,
		Association: Association{p.association.ARN, p.association.ID},
		AssumedRole: AssumedRole{
			ARN: "arn:aws:sts::" + s.AccountID + ":assumed-role/" + got.role.Name + "/" + got.session.Name,
			ID:  got.role.ID + ":" + got.session.Name,
		},
		Credentials: Credentials{made.SessionToken, made.SecretAccessKey, made.AccessKeyID, got.session.Expires.Unix()},
	}, nil
}
