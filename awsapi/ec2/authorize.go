package ec2

import (
	"slices"

	"tripod/awsapi/operation"
	"tripod/state"
)

// maxRules is how many rules a group has in each direction: AWS's default quota.
const maxRules = 60

// rulesInput names a group and rules: as permissions, or one by the flat parameters that older clients send.
type rulesInput struct {
	GroupID        string             `ec2:"GroupId"`
	Name           string             `ec2:"GroupName"`
	Permissions    []permissionInput  `ec2:"IpPermissions"`
	RuleIDs        []string           `ec2:"SecurityGroupRuleId"` // of Revoke only
	Protocol       string             `ec2:"IpProtocol"`
	FromPort       *int               `ec2:"FromPort"`
	ToPort         *int               `ec2:"ToPort"`
	CIDR           string             `ec2:"CidrIp"`
	Specifications []tagSpecification `ec2:"TagSpecification"` // of Authorize only
}

// rules are those that the call names by what they let through.
func (in *rulesInput) rules(egress bool) ([]rule, error) {
	permissions := in.Permissions
	if in.Protocol != "" || in.CIDR != "" {
		if len(permissions) > 0 {
			return nil, refuse("InvalidParameterCombination",
				"The parameter ipPermissions may not be used in combination with ipProtocol or cidrIp.")
		}
		permissions = []permissionInput{{Protocol: in.Protocol, FromPort: in.FromPort, ToPort: in.ToPort,
			Ranges: []rangeInput{{CIDR: in.CIDR}}}}
	}
	var all []rule
	for _, p := range permissions {
		rules, err := p.rules(egress)
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			if slices.ContainsFunc(all, r.same) {
				return nil, refuse("InvalidParameterValue", "The same permission must not appear multiple times: %s", r.words())
			}
			all = append(all, r)
		}
	}
	return all, nil
}

type authorizeOutput struct {
	Return bool             `xml:"return"`
	Rules  list[ruleRecord] `xml:"securityGroupRuleSet"`
}

func (s *Service) authorizeIngress(call *operation.Call, in *rulesInput) (*authorizeOutput, error) {
	return s.authorize(call, in, false)
}

func (s *Service) authorizeEgress(call *operation.Call, in *rulesInput) (*authorizeOutput, error) {
	return s.authorize(call, in, true)
}

func (s *Service) authorize(call *operation.Call, in *rulesInput, egress bool) (*authorizeOutput, error) {
	if len(in.RuleIDs) > 0 {
		return nil, refuse("UnknownParameter", "The parameter SecurityGroupRuleId is not recognized: new rules get "+
			"their ids.")
	}
	added, err := in.rules(egress)
	if err != nil {
		return nil, err
	}
	if len(added) == 0 {
		return nil, refuse("MissingParameter", "Either 'ipPermissions' or 'securityGroupRuleIds' should be provided.")
	}
	given, err := newTags(in.Specifications, "security-group-rule")
	if err != nil {
		return nil, err
	}
	for i := range added {
		added[i].ID = newID("sgr")
	}
	out := &authorizeOutput{Return: true}
	return change(s, call, out, func(tx *state.Txn) error {
		g, err := s.group(tx, in.GroupID, in.Name)
		if err != nil {
			return err
		}
		out.Rules = nil
		for _, r := range added {
			if slices.ContainsFunc(g.Rules, r.same) {
				return refuse("InvalidPermission.Duplicate", "the specified rule %s already exists", r.words())
			}
			if err := s.checkPeer(tx, r); err != nil {
				return err
			}
			g.Rules = append(g.Rules, r)
			tags.Put(tx, r.ID, given)
			out.Rules = append(out.Rules, s.ruleRecord(tx, g, r))
		}
		if count(g.Rules, egress) > maxRules {
			return refuse("RulesPerSecurityGroupLimitExceeded",
				"The maximum number of rules per security group has been reached: %d.", maxRules)
		}
		groups.put(s, tx, g)
		return nil
	})
}

// checkPeer says whether the group that a rule names is there.
func (s *Service) checkPeer(tx *state.Txn, r rule) error {
	if r.Group == "" {
		return nil
	}
	_, err := groups.get(s, tx, r.Group)
	return err
}

func count(rules []rule, egress bool) int {
	n := 0
	for _, r := range rules {
		if r.Egress == egress {
			n++
		}
	}
	return n
}

type revokeOutput struct {
	Return  bool              `xml:"return"`
	Unknown list[permission]  `xml:"unknownIpPermissionSet"`
	Revoked list[revokedRule] `xml:"revokedSecurityGroupRuleSet"`
}

// revokedRule is a rule as Revoke shows it: unlike elsewhere the group is not a structure.
type revokedRule struct {
	RuleID      string `xml:"securityGroupRuleId"`
	GroupID     string `xml:"groupId"`
	IsEgress    bool   `xml:"isEgress"`
	Protocol    string `xml:"ipProtocol"`
	FromPort    int    `xml:"fromPort"`
	ToPort      int    `xml:"toPort"`
	CIDR        string `xml:"cidrIpv4,omitempty"`
	CIDR6       string `xml:"cidrIpv6,omitempty"`
	Group       string `xml:"referencedGroupId,omitempty"`
	Description string `xml:"description,omitempty"`
}

func (s *Service) revokeIngress(call *operation.Call, in *rulesInput) (*revokeOutput, error) {
	return s.revoke(call, in, false)
}

func (s *Service) revokeEgress(call *operation.Call, in *rulesInput) (*revokeOutput, error) {
	return s.revoke(call, in, true)
}

func (s *Service) revoke(call *operation.Call, in *rulesInput, egress bool) (*revokeOutput, error) {
	if len(in.Specifications) > 0 {
		return nil, refuse("UnknownParameter", "The parameter TagSpecification is not recognized: a rule's tags go with it.")
	}
	named, err := in.rules(egress)
	if err != nil {
		return nil, err
	}
	if (len(named) == 0) == (len(in.RuleIDs) == 0) {
		return nil, refuse("MissingParameter", "Either 'ipPermissions' or 'securityGroupRuleIds' should be provided.")
	}
	out := &revokeOutput{Return: true}
	return change(s, call, out, func(tx *state.Txn) error {
		g, err := s.group(tx, in.GroupID, in.Name)
		if err != nil {
			return err
		}
		out.Revoked = nil
		take := func(fits func(rule) bool, missing error) error {
			at := slices.IndexFunc(g.Rules, func(r rule) bool { return r.Egress == egress && fits(r) })
			if at < 0 {
				return missing
			}
			r := g.Rules[at]
			out.Revoked = append(out.Revoked,
				revokedRule{r.ID, g.GroupID, r.Egress, r.Protocol, r.FromPort, r.ToPort, r.CIDR, r.CIDR6, r.Group, r.Description})
			g.Rules = slices.Delete(slices.Clone(g.Rules), at, at+1)
			tags.Delete(tx, r.ID)
			return nil
		}
		for _, r := range named {
			if err := take(r.same, refuse("InvalidPermission.NotFound",
				"The specified rule does not exist in this security group: %s", r.words())); err != nil {
				return err
			}
		}
		for _, id := range in.RuleIDs {
			if err := take(func(r rule) bool { return r.ID == id }, securityGroupRules.notFound(clip(id))); err != nil {
				return err
			}
		}
		groups.put(s, tx, g)
		return nil
	})
}
