package fis

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// principal is what an experiment acts as: a session of its role.
func (s *Service) principal(tx *state.Txn, e *experiment) (iam.Principal, error) {
	refused := &failure{"AuthorizationFailure", "Unable to assume the role " + aws.ToString(e.RoleArn) +
		": it must exist and let fis.amazonaws.com do sts:AssumeRole."}
	role, found := activeRole(tx, aws.ToString(e.RoleArn))
	if !found {
		return iam.Principal{}, refused
	}
	trust, err := iam.TrustOf(role)
	if err != nil {
		return iam.Principal{}, refused
	}
	request := iam.Request{Action: "sts:AssumeRole", Resource: role.ARN, Keys: iam.Keys{
		"sts:rolesessionname": {*e.Id}, "aws:sourceaccount": {s.AccountID}, "aws:sourcearn": {*e.Arn},
		"aws:principalisawsservice": {"true"}, "aws:principalservicename": {Principal}},
		Principal: func(kind, element string) bool { return kind == "Service" && element == Principal }}
	if iam.Decide(request, trust) != iam.Allowed {
		return iam.Principal{}, refused
	}
	return iam.RoleSession(tx, role, iam.Session{Role: role.Name, ID: role.ID, Name: *e.Id, Service: Principal}, ""), nil
}

// asked is a resource on which a permission is needed, with its condition keys.
type asked struct {
	arn  string
	keys iam.Keys
}

// allowed asks whether the experiment's role may do an action to its targets: what FIS itself is asked for, on the experiment.
func (s *Service) allowed(tx *state.Txn, e *experiment, kind action, targets []types.ResolvedTarget) error {
	principal, err := s.principal(tx, e)
	if err != nil {
		return err
	}
	var resources []asked
	seen := map[string]bool{} // many pods are of one cluster
	for _, t := range targets {
		if on := s.askedOf(tx, t); !seen[on.arn] {
			resources, seen[on.arn] = append(resources, on), true
		}
	}
	for _, permission := range kind.permissions {
		about := resources
		if kind.asks != nil {
			about = kind.asks(s, tx, permission, resources)
		}
		if strings.HasPrefix(permission, Name+":") {
			about = []asked{{*e.Arn, tagsOf(e.Tags)}}
		}
		for _, on := range about {
			if err := s.mayDo(principal, permission, on); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayDo asks whether the experiment's role may do something to a resource. It does so by the role itself: aws:ViaAWSService is
// false, as for every service that has assumed a role.
func (s *Service) mayDo(principal iam.Principal, permission string, on asked) error {
	keys := iam.Keys{"aws:viaawsservice": {"false"}, "aws:requestedregion": {s.Region}, "aws:resourceaccount": {s.AccountID}}
	decision, reason := principal.Evaluate(permission, on.arn, keys.With(on.keys))
	if decision == iam.Allowed {
		return nil
	}
	return &failure{"AuthorizationFailure", fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", principal.ARN,
		permission, on.arn, reason)}
}

// askedOf is what a permission is needed on for a target.
func (s *Service) askedOf(tx *state.Txn, t types.ResolvedTarget) asked {
	about := t.TargetInformation
	kind, arn := aws.ToString(t.ResourceType), about[aboutARN]
	switch {
	case kind == instanceType || kind == spotType:
		return s.instanceAsked(tx, arn[strings.LastIndexByte(arn, '/')+1:])
	case kind == subnetType:
		return s.subnetAsked(tx, arn)
	case about[aboutCluster] != "":
		cluster, _ := region.Clusters.Get(tx, about[aboutCluster])
		return asked{"arn:aws:eks:" + s.Region + ":" + s.AccountID + ":cluster/" + cluster.Name, tagsOf(cluster.Tags)}
	case kind == nodegroupType:
		for _, g := range region.Nodegroups.List(tx) {
			if aws.ToString(g.NodegroupArn) == arn {
				return asked{arn, tagsOf(g.Tags)}
			}
		}
	case kind == managedType:
		tags := s.tagsOfShiftable(tx, Shiftable{ARN: arn, ID: cmp.Or(about[aboutID], arn), Type: about[aboutType]})
		return asked{arn, tagsOf(tags)}
	}
	return asked{arn, nil}
}

func (s *Service) instanceAsked(tx *state.Txn, id string) asked {
	return asked{"arn:aws:ec2:" + s.Region + ":" + s.AccountID + ":instance/" + id, s.Network.InstanceKeys(tx, id)}
}
