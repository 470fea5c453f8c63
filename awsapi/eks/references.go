package eks

import (
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"

	"tripod/awsapi/wire"
	"tripod/region"
)

// What a request names must be there, as in EKS: roles and who may take them, launch templates, keys, instance types. A region that was
// started with `tripod up --references lenient` takes what is not there, and notes it in the history.

// Services to which requests give roles.
const (
	eksService        = "eks.amazonaws.com"
	podsService       = "pods.eks.amazonaws.com"
	capabilityService = "capabilities.eks.amazonaws.com"
	nodeService       = "ec2.amazonaws.com"
	fargateService    = "eks-fargate-pods.amazonaws.com"
)

// unresolved is the refusal of a call because of what it names; nil where the region is lenient, which notes it.
func (c change) unresolved(refusal error) error {
	var told *wire.Error
	if refusal == nil || !c.lenient || !errors.As(refusal, &told) {
		return refusal
	}
	c.call.Note(told.Message)
	return nil
}

// roleOf is the role with that ARN, if there is one.
func roleOf(tx *region.Txn, arn string) (region.Role, bool) {
	role, found := region.Roles.Get(tx, roleName(arn))
	return role, found && role.ARN == arn
}

// roleName is the end of a role's ARN, as far as names go.
func roleName(arn string) string {
	name := arn[strings.LastIndexByte(arn, '/')+1:]
	return name[:min(len(name), maxRoleName)]
}

// maxRoleName is how long IAM lets a role's name be.
const maxRoleName = 64

// roleFor refuses a role that a request gives to a service: of another account, one that there is not (absent says so), and one that does
// not trust the service with the actions (untrusting says so; with no actions whom it trusts does not matter).
func (s *Service) roleFor(c change, arn, service string, actions []string, absent, untrusting error) error {
	if fields := strings.SplitN(arn, ":", 6); len(fields) == 6 && accountID.MatchString(fields[4]) && fields[4] != s.AccountID {
		return c.unresolved(&wire.Error{Code: "AccessDeniedException", Status: http.StatusForbidden,
			Message: "Cross-account pass role is not allowed."})
	}
	role, found := roleOf(c.tx, arn)
	switch {
	case !found:
		return c.unresolved(absent)
	case !trusts(role.TrustPolicy, service, actions):
		return c.unresolved(untrusting)
	}
	return nil
}

var assuming = []string{"sts:AssumeRole"}

// clusterRoleFor checks the role of a cluster, or of what else EKS itself acts as.
func (s *Service) clusterRoleFor(c change, a about, arn, service string) error {
	wrong := a.invalidParameter("Role with arn: %s, could not be assumed because it does not exist or the trusted entity is not correct",
		arn)
	return s.roleFor(c, arn, service, assuming, wrong, wrong)
}

// nodeRoleFor checks the role of a node group's instances.
func (s *Service) nodeRoleFor(c change, a about, arn string) error {
	return s.roleFor(c, arn, nodeService, assuming, noRoleNamed(a, arn),
		a.invalidParameter("Following required service principals [%s] were not found in the trust relationships of nodeRole %s",
			nodeService, arn))
}

// podRoleFor checks the role of pods that get it by EKS Pod Identity.
func (s *Service) podRoleFor(c change, a about, arn string) error {
	return s.roleFor(c, arn, podsService, []string{"sts:AssumeRole", "sts:TagSession"},
		a.invalidParameter("Role provided in the request does not exist"),
		a.invalidParameter("Trust policy of the role provided is invalid"))
}

// fargateRoleFor checks the role by which Fargate's own parts start pods.
func (s *Service) fargateRoleFor(c change, a about, arn string) error {
	return s.roleFor(c, arn, fargateService, assuming, noRoleNamed(a, arn),
		a.invalidParameter("Misconfigured PodExecutionRole Trust Policy; Please add the %s Service Principal", fargateService))
}

// existingRole checks a role of which only its existence matters: whom it must trust depends on what is not asked here.
func (s *Service) existingRole(c change, a about, arn string) error {
	return s.roleFor(c, arn, "", nil, noRoleNamed(a, arn), nil)
}

func noRoleNamed(a about, arn string) error {
	return a.invalidParameter("The role with name %s cannot be found.", roleName(arn))
}

// trusts says whether a trust policy lets the service do the actions, under whatever conditions: these count when the role is taken, and
// EKS does not know then what a request will bring.
func trusts(policy, service string, actions []string) bool {
	var document struct{ Statement statements }
	if json.Unmarshal([]byte(policy), &document) != nil {
		return len(actions) == 0
	}
	for _, action := range actions {
		if !slices.ContainsFunc(document.Statement, func(s trustStatement) bool { return s.allows(service, action) }) {
			return false
		}
	}
	return true
}

// trustStatement is a statement of a trust policy, as far as it lets services in.
type trustStatement struct {
	Effect    string
	Action    texts
	Principal principals
}

func (s trustStatement) allows(service, action string) bool {
	return s.Effect == "Allow" && (s.Principal.all || slices.Contains(s.Principal.Service, service)) && slices.ContainsFunc(s.Action,
		func(pattern string) bool {
			fits, err := path.Match(strings.ToLower(pattern), strings.ToLower(action))
			return err == nil && fits
		})
}

// statements are one statement or a list of them.
type statements []trustStatement

// UnmarshalJSON implements json.Unmarshaler.
func (s *statements) UnmarshalJSON(text []byte) error {
	var one trustStatement
	if json.Unmarshal(text, &one) == nil {
		*s = statements{one}
		return nil
	}
	return json.Unmarshal(text, (*[]trustStatement)(s))
}

// texts are one text or a list of them.
type texts []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *texts) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

// principals are a statement's: everybody, or services among others.
type principals struct {
	all     bool
	Service texts
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *principals) UnmarshalJSON(text []byte) error {
	if string(text) == `"*"` {
		p.all = true
		return nil
	}
	var named struct{ Service texts }
	err := json.Unmarshal(text, &named)
	p.Service = named.Service
	return err
}
