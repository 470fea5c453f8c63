package eks

import (
	"errors"
	"net/http"
	"strings"

	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// What a request names must be there, as in EKS: roles and who may take them, launch templates, keys, instance types. A
// region that was started with `tripod up --references lenient` takes what is not there, and notes it in the history.

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
func roleOf(tx *state.Txn, arn string) (region.Role, bool) {
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

// roleFor refuses a role that a request gives to a service: of another account, one that there is not (absent says so),
// and one that does not trust the service with the actions (untrusting says so; with no actions whom it trusts does not
// matter).
func (s *Service) roleFor(c change, arn, service string, actions []string, absent, untrusting error) error {
	if fields := strings.SplitN(arn, ":", 6); len(fields) == 6 && accountID.MatchString(fields[4]) &&
		fields[4] != s.AccountID {
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
	wrong := a.invalidParameter("Role with arn: %s, could not be assumed because it does not exist or the trusted "+
		"entity is not correct",
		arn)
	return s.roleFor(c, arn, service, assuming, wrong, wrong)
}

// nodeRoleFor checks the role of a node group's instances.
func (s *Service) nodeRoleFor(c change, a about, arn string) error {
	return s.roleFor(c, arn, nodeService, assuming, noRoleNamed(a, arn),
		a.invalidParameter("Following required service principals [%s] were not found in the trust relationships of "+
			"nodeRole %s",
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
		a.invalidParameter("Misconfigured PodExecutionRole Trust Policy; Please add the %s Service Principal",
			fargateService))
}

// existingRole checks a role of which only its existence matters: whom it must trust depends on what is not asked here.
func (s *Service) existingRole(c change, a about, arn string) error {
	return s.roleFor(c, arn, "", nil, noRoleNamed(a, arn), nil)
}

func noRoleNamed(a about, arn string) error {
	return a.invalidParameter("The role with name %s cannot be found.", roleName(arn))
}

// trusts says whether a trust policy lets the service do the actions, under whatever conditions: these count when the
// role is taken, and EKS does not know then what a request will bring.
func trusts(policy, service string, actions []string) bool {
	document, err := iam.ParseTrust(policy)
	if err != nil {
		return len(actions) == 0
	}
	for _, action := range actions {
		if !document.TrustsService(service, action) {
			return false
		}
	}
	return true
}
