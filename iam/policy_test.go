package iam_test

import (
	"strings"
	"testing"

	"tripod/iam"
)

func identity(statement string) string {
	return `{"Version":"2012-10-17","Statement":` + statement + `}`
}

func TestDecisionFollowsThePolicy(t *testing.T) {
	keys := iam.Keys{"aws:username": {"ann"}, "aws:sourceip": {"10.0.0.9"}, "n": {"5"}, "d": {"2026-03-04T05:06:07Z"},
		"b": {"true"}, "many": {"x", "y"}, "arn": {"arn:aws:iam::1:role/a"}, "star": {"*"}}
	on := func(condition string) string {
		return identity(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":` + condition + `}`)
	}
	for policy, want := range map[string]iam.Decision{
		identity(`{"Effect":"Allow","Action":"eks:Describe*",` +
			`"Resource":"arn:x:cluster/*"}`): iam.Allowed,
		identity(`{"Effect":"Allow","Action":"EKS:describecluster",` +
			`"Resource":"arn:x:cluster/demo"}`): iam.Allowed,
		identity(`{"Effect":"Allow","Action":"eks:List*","Resource":"*"}`):             iam.ImplicitDeny,
		identity(`{"Effect":"Allow","Action":"*","Resource":"arn:x:cluster/dem"}`):     iam.ImplicitDeny,
		identity(`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`):              iam.Allowed,
		identity(`{"Effect":"Allow","Action":"*","NotResource":"arn:x:cluster/d?mo"}`): iam.ImplicitDeny,
		identity(`[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"eks:*",` +
			`"Resource":"*"}]`): iam.ExplicitDeny,
		identity(`{"Effect":"Allow","Action":"*","Resource":"arn:x:cluster/${star}"}`):                     iam.ImplicitDeny,
		identity(`{"Effect":"Allow","Action":"*","Resource":"arn:x:cluster/${none}"}`):                     iam.ImplicitDeny,
		identity(`{"Effect":"Allow","Action":"*","Resource":"arn:x:cluster/${none, 'demo'}"}`):             iam.Allowed,
		on(`{"StringEquals":{"aws:UserName":["bob","ann"]}}`):                                              iam.Allowed,
		on(`{"StringNotEquals":{"aws:username":["bob","ann"]}}`):                                           iam.ImplicitDeny,
		on(`{"StringLike":{"aws:username":"a*"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`):               iam.Allowed,
		on(`{"StringEquals":{"absent":"x"}}`):                                                              iam.ImplicitDeny,
		on(`{"StringEqualsIfExists":{"absent":"x"}}`):                                                      iam.Allowed,
		on(`{"StringNotEquals":{"absent":"x"}}`):                                                           iam.Allowed,
		on(`{"Null":{"absent":"true","n":"false"}}`):                                                       iam.Allowed,
		on(`{"NumericLessThan":{"n":"5"}}`):                                                                iam.ImplicitDeny,
		on(`{"NumericLessThanEquals":{"n":5},"Bool":{"b":true},"DateGreaterThan":{"d":"2026-01-01"}}`):     iam.Allowed,
		on(`{"ForAllValues:StringEquals":{"many":["x","y","z"]},"ForAnyValue:StringEquals":{"many":"y"}}`): iam.Allowed,
		on(`{"ForAllValues:StringEquals":{"many":"x"}}`):                                                   iam.ImplicitDeny,
		on(`{"ForAnyValue:StringEquals":{"absent":"x"}}`):                                                  iam.ImplicitDeny,
		on(`{"ArnLike":{"arn":"arn:aws:iam::*:role/*"},"ArnNotLike":{"arn":"arn:*"}}`):                     iam.Allowed,
	} {
		d, err := iam.ParseIdentity(policy)
		if err != nil {
			t.Errorf("%s: %v", policy, err)
			continue
		}
		if got := iam.Decide(iam.Request{Action: "eks:DescribeCluster", Resource: "arn:x:cluster/demo", Keys: keys},
			d); got != want {
			t.Errorf("%s: got %d, want %d", policy, got, want)
		}
	}
}

func TestMalformedPoliciesAreRefused(t *testing.T) {
	for policy, want := range map[string]string{
		``: "JSON", `[]`: "JSON object", `{}`: "no Statement", `{"Statement":[]}`: "no Statement",
		`{"Statement":null}`:                      "JSON object",
		`{"Version":"2013-01-01","Statement":{}}`: "Version", `{"Statement":{},"Statement":{}}`: "more than once",
		identity(`{"Effect":"allow","Action":"*","Resource":"*"}`):                                     "Effect",
		identity(`{"Effect":"Allow","Action":"nothing","Resource":"*"}`):                               "service:Action",
		identity(`{"Effect":"Allow","Action":"*"}`):                                                    "Resource",
		identity(`{"Effect":"Allow","Resource":"*"}`):                                                  "Action",
		identity(`{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}`):                     "Principal",
		identity(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Equals":{"a":"b"}}}`):    "operator",
		identity(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"a":{}}}}`): "string",
		identity(`{"Effect":"Allow","Action":"*","Resource":"*"}`) + "x":                               "follows",
	} {
		if _, err := iam.ParseIdentity(policy); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want something about %q", policy, err, want)
		}
	}
}
