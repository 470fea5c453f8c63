package ec2

import (
	"slices"

	"tripod/awsapi/operation"
	"tripod/state"
)

// ruleUpdate is a rule as ModifySecurityGroupRules gives it: all of it but its direction.
type ruleUpdate struct {
	ID   string `ec2:"SecurityGroupRuleId,required"`
	Rule struct {
		Protocol    string `ec2:"IpProtocol"`
		FromPort    *int   `ec2:"FromPort"`
		ToPort      *int   `ec2:"ToPort"`
		CIDR        string `ec2:"CidrIpv4"`
		CIDR6       string `ec2:"CidrIpv6"`
		Group       string `ec2:"ReferencedGroupId"`
		Description string `ec2:"Description"`
	} `ec2:"SecurityGroupRule"`
}

// permission is the rule as other calls give it.
func (u *ruleUpdate) permission() permissionInput {
	r := u.Rule
	p := permissionInput{Protocol: r.Protocol, FromPort: r.FromPort, ToPort: r.ToPort}
	if r.CIDR != "" {
		p.Ranges = []rangeInput{{r.CIDR, r.Description}}
	}
	if r.CIDR6 != "" {
		p.Ranges6 = []range6Input{{r.CIDR6, r.Description}}
	}
	if r.Group != "" {
		p.Groups = []groupPairInput{{GroupID: r.Group, Description: r.Description}}
	}
	return p
}

type modifyRulesInput struct {
	GroupID string       `ec2:"GroupId,required"`
	Rules   []ruleUpdate `ec2:"SecurityGroupRule,required"`
}

func (s *Service) modifyRules(call *operation.Call, in *modifyRulesInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		g, err := groups.get(s, tx, in.GroupID)
		if err != nil {
			return err
		}
		g.Rules = slices.Clone(g.Rules)
		for _, update := range in.Rules {
			at := slices.IndexFunc(g.Rules, func(r rule) bool { return r.ID == update.ID })
			if at < 0 {
				return securityGroupRules.notFound(clip(update.ID))
			}
			changed, err := update.permission().rules(g.Rules[at].Egress)
			switch {
			case err != nil:
				return err
			case len(changed) != 1:
				return refuse("InvalidParameterCombination",
					"Exactly one of CidrIpv4, CidrIpv6 and ReferencedGroupId must be specified for a security group rule.")
			}
			if err := s.checkPeer(tx, changed[0]); err != nil {
				return err
			}
			changed[0].ID = update.ID
			if i := slices.IndexFunc(g.Rules, changed[0].same); i >= 0 && i != at {
				return refuse("InvalidPermission.Duplicate", "the specified rule %s already exists", changed[0].words())
			}
			g.Rules[at] = changed[0]
		}
		groups.put(s, tx, g)
		return nil
	})
}

type ruleDescription struct {
	ID          string `ec2:"SecurityGroupRuleId,required"`
	Description string `ec2:"Description"`
}

// describeAnewInput gives rules other descriptions: rules named by what they let through, or by their ids.
type describeAnewInput struct {
	GroupID      string            `ec2:"GroupId"`
	Name         string            `ec2:"GroupName"`
	Permissions  []permissionInput `ec2:"IpPermissions"`
	Descriptions []ruleDescription `ec2:"SecurityGroupRuleDescription"`
}

func (s *Service) describeIngressAnew(call *operation.Call, in *describeAnewInput) (*done, error) {
	return s.describeAnew(call, in, false)
}

func (s *Service) describeEgressAnew(call *operation.Call, in *describeAnewInput) (*done, error) {
	return s.describeAnew(call, in, true)
}

func (s *Service) describeAnew(call *operation.Call, in *describeAnewInput, egress bool) (*done, error) {
	named, err := (&rulesInput{Permissions: in.Permissions}).rules(egress)
	if err != nil {
		return nil, err
	}
	if (len(named) == 0) == (len(in.Descriptions) == 0) {
		return nil, refuse("MissingParameter", "Either 'ipPermissions' or 'securityGroupRuleDescriptions' should "+
			"be provided.")
	}
	for _, d := range in.Descriptions {
		if err := checkRuleDescription(d.Description); err != nil {
			return nil, err
		}
	}
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		g, err := s.group(tx, in.GroupID, in.Name)
		if err != nil {
			return err
		}
		g.Rules = slices.Clone(g.Rules)
		for _, r := range named {
			at := slices.IndexFunc(g.Rules, r.same)
			if at < 0 {
				return refuse("InvalidPermission.NotFound", "The specified rule does not exist in this security group: %s",
					r.words())
			}
			g.Rules[at].Description = r.Description
		}
		for _, d := range in.Descriptions {
			at := slices.IndexFunc(g.Rules, func(r rule) bool { return r.ID == d.ID && r.Egress == egress })
			if at < 0 {
				return refuse("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", clip(d.ID))
			}
			g.Rules[at].Description = d.Description
		}
		groups.put(s, tx, g)
		return nil
	})
}
