package ec2

import (
	"tripod/awsapi/operation"
	"tripod/state"
)

// ruleRecord is a rule as EC2 shows it by itself.
type ruleRecord struct {
	RuleID      string     `xml:"securityGroupRuleId"`
	ARN         string     `xml:"securityGroupRuleArn"`
	GroupID     string     `xml:"groupId"`
	OwnerID     string     `xml:"groupOwnerId"`
	IsEgress    bool       `xml:"isEgress"`
	Protocol    string     `xml:"ipProtocol"`
	FromPort    int        `xml:"fromPort"`
	ToPort      int        `xml:"toPort"`
	CIDR        string     `xml:"cidrIpv4,omitempty"`
	CIDR6       string     `xml:"cidrIpv6,omitempty"`
	Group       *groupPair `xml:"referencedGroupInfo"`
	Description string     `xml:"description,omitempty"`
	Tags        list[tag]  `xml:"tagSet"`
}

func (s *Service) ruleRecord(tx *state.Txn, g securityGroup, r rule) ruleRecord {
	record := ruleRecord{RuleID: r.ID, ARN: s.arn("security-group-rule", r.ID), GroupID: g.GroupID, OwnerID: g.OwnerID,
		IsEgress: r.Egress,
		Protocol: r.Protocol, FromPort: r.FromPort, ToPort: r.ToPort, CIDR: r.CIDR, CIDR6: r.CIDR6,
		Description: r.Description, Tags: s.tagsOf(tx, r.ID)}
	if r.Group != "" {
		record.Group = &groupPair{UserID: s.VPC.AccountID, GroupID: r.Group}
	}
	return record
}

var securityGroupRules = &kind[ruleRecord]{
	prefix: "sgr", noun: "security group rule ID", code: "InvalidSecurityGroupRuleId",
	id: func(v ruleRecord) string { return v.RuleID },
	computed: func(s *Service, tx *state.Txn) []ruleRecord {
		var all []ruleRecord
		for _, g := range groups.all(s, tx) {
			for _, r := range g.Rules {
				all = append(all, s.ruleRecord(tx, g, r))
			}
		}
		return all
	},
}

type describeRulesInput struct {
	IDs        []string `ec2:"SecurityGroupRuleId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeRulesOutput struct {
	Rules     list[ruleRecord] `xml:"securityGroupRuleSet"`
	NextToken string           `xml:"nextToken,omitempty"`
}

func (s *Service) describeRules(call *operation.Call, in *describeRulesInput) (*describeRulesOutput, error) {
	found, next, err := describe(s, call, securityGroupRules, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(*state.Txn, *ruleRecord) {})
	return &describeRulesOutput{found, next}, err
}
