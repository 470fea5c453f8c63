package iam_test

import (
	"strings"
	"testing"

	"tripod/iam"
)

// managed is a policy of the newest version with statements or one.
func managed(statements string) string {
	return `{"Version":"2012-10-17","Statement":` + statements + `}`
}

// allow is one statement with some elements beside Effect.
func allow(elements string) string { return managed(`{"Effect":"Allow",` + elements + `}`) }

// on is a policy about one resource, which is given as JSON.
func on(resource string) string { return allow(`"Action":"s3:ListBucket","Resource":` + resource) }

// when is a policy with a condition.
func when(condition string) string {
	return allow(`"Action":"s3:ListBucket","Resource":"*","Condition":` + condition)
}

const (
	syntax  = "Syntax errors in policy."
	version = "Policy document must be version 2012-10-17 or greater."
	legacy  = "The policy failed legacy parsing"
	action  = `"Action":"s3:ListBucket"`
	bucket  = `"Resource":"arn:aws:s3:::b"`
	iamPath = `IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, ` +
		`instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, ` +
		`access-report/.`
)

// refusedPolicies are documents and what IAM says of them.
var refusedPolicies = map[string]string{
	`nonsense`: syntax, `[]`: syntax, `{}`: syntax, managed(`[]`): syntax, managed(`["x"]`): syntax,
	managed(`null`): syntax, `{"Version":"2012-10-17"}`: syntax,
	`{"Version":"2013-10-17","Statement":{"Effect":"Allow",` + action + `,` + bucket + `}}`:                 syntax,
	`{"Version":"2012-10-17","Id":["x"],"Statement":{"Effect":"Allow",` + action + `,` + bucket + `}}`:      syntax,
	`{"Version":"2012-10-17","Id":{},"Statement":{"Effect":"Allow",` + action + `,` + bucket + `}}`:         syntax,
	`{"Version":"2012-10-17","More":"x","Statement":{"Effect":"Allow",` + action + `,` + bucket + `}}`:      syntax,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow",` + action + `,` + bucket + `}} x`:               syntax,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Effect":"Deny",` + action + `,` + bucket + `}}`: syntax,
	allow(action + `,` + bucket + `,"More":"x"`):                                                            syntax,
	managed(`{` + action + `,` + bucket + `}`):                                                              syntax,
	managed(`{"Effect":"Perhaps",` + action + `,` + bucket + `}`):                                           syntax,
	managed(`{"Effect":["Allow"],` + action + `,` + bucket + `}`):                                           syntax,
	allow(`"Action":{},` + bucket):                                                                          syntax,
	allow(`"Action":[[]],` + bucket):                                                                        syntax,
	allow(`"Action":5,` + bucket):                                                                           syntax,
	allow(action + `,"NotAction":[],` + bucket):                                                             syntax,
	allow(action + `,"NotResource":"*",` + bucket):                                                          syntax,
	on(`{"a":"arn:aws:s3:::b"}`):                                                                            syntax,
	on(`["x",{}]`):                                                                                          syntax,
	allow(`"Sid":{},` + action + `,` + bucket):                                                              syntax,
	allow(`"Sid":[],` + action + `,` + bucket):                                                              syntax,
	when(`[]`): syntax, when(`"a"`): syntax, when(`{"a":"b"}`): syntax, when(`{"DateGreaterThan":"b"}`): syntax,
	when(`{"DateGreaterThan":[]}`):       syntax,
	when(`{"DateGreaterThan":{"a":{}}}`): syntax, when(`{"Equals":{"a":"1"}}`): syntax,
	when(`{"ForAnyValue::StringEquals":{"a":"b"}}`): syntax,
	when(`[{"StringEquals":{"aws:TagKeys":"x"}}]`):  syntax, when(`{"StringEquals":{"a":[["b"]]}}`): syntax,
	when(`{"StringEquals":{"a":null}}`): syntax,

	`{"Statement":{"Effect":"Allow",` + action + `,` + bucket + `}}`:                                          version,
	`{"Version":"2008-10-17","Statement":{"Effect":"Allow",` + action + `,` + bucket + `}}`:                   version,
	`{"Statement":{"Effect":"allow",` + action + `,` + bucket + `}}`:                                          version,
	`{"Statement":[{"Effect":"Allow",` + action + `,` + bucket + `,"Sid":"a"},{"Effect":"Allow","Sid":"a"}]}`: version,

	managed(`{"Effect":"denY",` + action + `,` + bucket + `}`): legacy,
	" " + on(`"*"`): legacy,
	allow(`"Condition":{"DateGreaterThan":{"a":"soon"}}`):                      legacy,
	when(`{"DateGreaterThan":{"a":"soon"}}`):                                   legacy,
	when(`{"ForAllValues:DateLessThanIfExists":{"a":["2020","x"]}}`):           legacy,
	when(`{"DateLessThanEquals":{"a":"234-13"}}`):                              legacy,
	when(`{"DateLessThanEquals":{"a":"2016-12-13-01"}}`):                       legacy,
	when(`{"DateLessThanEquals":{"a":"2016-12-13t25:00"}}`):                    legacy,
	when(`{"DateLessThanEquals":{"a":"2016-12-13t2:00:00.5+1"}}`):              legacy,
	when(`{"DateLessThanEquals":{"a":"2016-12-13t2:00:00.1999999999+10:59"}}`): legacy,
	when(`{"DateLessThan":{"a":"9223372036854775808"}}`):                       legacy,
	when(`{"DateLessThan":{"a":true}}`):                                        legacy,
	on(`"arn:aws:s3::b"`):                                                      legacy, on(`["arn:aws:s3::b"]`): legacy,
	on(`"arn:aws::::b"`): legacy, on(`"arn:aws::b"`): legacy,
	allow(`"Resource":"arn:aws:s3::b"`):                                legacy,
	allow(action + `,"NotResource":"arn:aws:s3::b"`):                   legacy,
	managed(`{"Effect":"allow","Resource":"arn:aws:s3:us-east-1::b"}`): legacy,

	allow(action + `,` + bucket + `,"Principal":"*"`):    "Policy document should not specify a principal.",
	allow(action + `,` + bucket + `,"NotPrincipal":"*"`): "Policy document should not specify a principal.",
	allow(`"Action":"sts:AssumeRole","Principal":"*"`):   "Policy document should not specify a principal.",

	managed(`[{"Sid":"a","Effect":"Allow",` + action + `,` + bucket + `},{"Sid":"a","Effect":"Allow"}]`): "Statement IDs (SID) in a single policy must be unique.",
	allow(`"Sid":"a b",` + action + `,` + bucket):                                                        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",

	allow(bucket):                  "Policy statement must contain actions.",
	allow(`"Action":[],` + bucket): "Policy statement must contain actions.",
	managed(`{"Effect":"Allow"}`):  "Policy statement must contain actions.",
	managed(`[{"Effect":"Deny"},{"Effect":"Allow",` + action + `,` +
		bucket + `}]`): "Policy statement must contain actions.",

	on(`"some thing"`): `Resource some thing must be in ARN format or "*".`,
	on(`""`):           `Resource  must be in ARN format or "*".`,
	on(`["adf"]`):      `Resource adf must be in ARN format or "*".`,
	allow(`"Action":"s:3:ListBucket","Resource":"x"`): `Resource x must be in ARN format or "*".`,
	on(`"a:bcd"`):         `Partition "bcd" is not valid for resource "arn:bcd:*:*:*:*".`,
	on(`"a:b:cd"`):        `Partition "b" is not valid for resource "arn:b:cd:*:*:*".`,
	on(`"a:b:c:d:e:f:g"`): `Partition "b" is not valid for resource "arn:b:c:d:e:f:g".`,
	on(`"aws:s3:::b"`):    `Partition "s3" is not valid for resource "arn:s3:::b:*".`,
	on(`["arn:error:s3:::b","arn:error:s3::b"]`): `Partition "error" is not valid for resource "arn:error:s3:::b".`,
	on(`"arn:aws"`):                       "Resource vendor must be fully qualified and cannot contain regexes.",
	on(`"arn:aws:*:*:*:*"`):               "Resource vendor must be fully qualified and cannot contain regexes.",
	on(`"arn:aws:s3*:::b"`):               "Resource vendor must be fully qualified and cannot contain regexes.",
	on(`"arn:aws:iam::111122223333:*/*"`): iamPath,
	on(`"arn:${P}:s3:::b"`):               `Partition "${P}" is not valid for resource "arn:${P}:s3:::b".`,
	on(`"arn:aws:iam:us-east-1::b"`):      "IAM resource arn:aws:iam:us-east-1::b cannot contain region information.",
	on(`"arn:aws:s3:us-east-1::b"`):       "Resource arn:aws:s3:us-east-1::b can not contain region information.",
	on(`"arn:aws:iam:::b"`):               iamPath,
	on(`"arn:aws:iam::111122223333:b"`):   iamPath,

	allow(`"Action":"ListBucket",` + bucket): "Actions/Conditions must be prefaced by a vendor, e.g., iam, " +
		"sdb, ec2, etc.",
	allow(`"NotAction":"",` + bucket): "Actions/Conditions must be prefaced by a vendor, e.g., iam, " +
		"sdb, ec2, etc.",
	allow(`"Action":"ListBucket"`): "Actions/Conditions must be prefaced by a vendor, e.g., iam, " +
		"sdb, ec2, etc.",
	allow(`"Action":"a a:ListBucket",` + bucket): "Vendor a a is not valid",
	allow(`"Action":"s3:List:Bucket",` + bucket): "Actions/Condition can contain only one colon.",

	allow(action): "Policy statement must contain resources.", on(`[]`): "Policy statement must contain resources.",
}

// takenPolicies are documents that IAM takes, odd as some of them are.
var takenPolicies = []string{
	on(`"*"`), on(`["arn:aws:s3:::b","*"]`), on(`["arn:aws:s3:::b",null]`), on(`"arn:aws:x"`),
	on(`"arn:aws:s3:us-east-1:111122223333:accesspoint/a"`),
	on(`"arn:aws-cn:s3:::b"`), on(`"arn:*:s3:::b"`), on(`"arn:aws:no-such-service:us-east-1::b"`),
	on(`"arn:aws:iam::*:user/${aws:username}"`), on(`"arn:aws:iam::111122223333:*"`),
	allow(`"Action":"iam: some thing ",` + bucket), allow(`"Action":["*"],` + bucket),
	allow(`"Action":"s3-x.y:List*","NotResource":"*"`), allow(`"NotAction":"s3:*",` + bucket),
	allow(`"Sid":"",` + action + `,` + bucket), `{"Version":"2012-10-17","Id":"x",` +
		`"Statement":[{"Effect":"Deny",` + action + `,` + bucket + `}]}`,
	`{"Statement":{"Effect":"Allow",` + action + `,` + bucket + `},"Version":"2012-10-17"}`,
	when(`{}`), when(`{"NoSuchOperator":{}}`), when(`{"x":{},"y":{}}`), when(`{"DateGreaterThan":{}}`),
	when(`{"DateGreaterThan":{"a":[]}}`), when(`{"StringEquals":{"a":["b",null]}}`),
	when(`{"ForAnyValue:StringEqualsIfExists":{"a":"b"}}`), when(`{"Bool":{"a":true}}`),
	when(`{"NumericLessThan":{"aws:MultiFactorAuthAge":3600}}`),
	when(`{"DateGreaterThan":{"a":"01T"}}`), when(`{"DateLessThan":{"a":"2019-07-01T13:20:15Z"}}`),
	when(`{"DateLessThan":{"a":"2016-12-13T21:20:37.593194+00:00"}}`),
	when(`{"DateLessThan":{"a":"2016-12-13t2:00:00.593194+23"}}`), when(`{"DateLessThan":{"a":"-292275054"}}`),
	when(`{"DateLessThan":{"a":"2019-07-01T13:20:15-05:00"}}`),
	when(`{"DateLessThan":{"a":1772600767}}`),
}

func TestPoliciesAreRefusedInIAMsWords(t *testing.T) {
	for policy, want := range refusedPolicies {
		if err := iam.CheckManaged(policy); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", policy, err, want)
		}
		inline := want
		if want == version { // inline policies may be of the older version, or of none
			inline = ""
			if strings.Contains(policy, "allow") {
				inline = legacy
			} else if strings.Contains(policy, "Sid") {
				inline = "Statement IDs (SID) in a single policy must be unique."
			}
		}
		if err := iam.CheckIdentity(policy); (err == nil) != (inline == "") || err != nil && err.Error() != inline {
			t.Errorf("inline %s:\ngot  %v\nwant %s", policy, err, inline)
		}
	}
}

func TestPoliciesThatIAMTakesAreTakenAndRead(t *testing.T) {
	for _, policy := range takenPolicies {
		if err := iam.CheckManaged(policy); err != nil {
			t.Errorf("%s: got %v", policy, err)
		}
		if _, err := iam.ParseIdentity(policy); err != nil {
			t.Errorf("%s cannot be read: %v", policy, err)
		}
	}
	for _, p := range iam.ManagedPolicies() {
		if err := iam.CheckManaged(string(p.Document)); err != nil {
			t.Errorf("AWS's own %s: got %v", p.Name, err)
		}
	}
}

// trust is a trust policy's statement that allows AssumeRole to a principal, with more elements.
func trust(principal, more string) string {
	return managed(`[{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"` + more + `}]`)
}

func TestTrustPoliciesAreRefusedInIAMsWords(t *testing.T) {
	const anybody = `{"AWS":"*"}`
	for policy, want := range map[string]string{
		`{`: "This policy contains invalid Json", `assume.json`: "This policy contains invalid Json",
		`[]`:                     "This policy contains invalid Json",
		" " + trust(anybody, ""): "JSON strings must not have leading spaces",
		`{"Version":"2020-01-01","Statement":[]}`:   "The policy must contain a valid version string",
		`{"Version":["2012-10-17"],"Statement":[]}`: "The policy must contain a valid version string",
		managed(`[]`):                          "Could not parse the policy: Statement is empty!",
		`{"Version":"2012-10-17"}`:             "Could not parse the policy: Statement is empty!",
		`{"Version":"2012-10-17","States":[]}`: "Unknown field States",
		trust(anybody, `,"Actions":"x"`):       "Unknown field Actions",
		managed(`[{"Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]`):                "Missing required field Effect",
		managed(`{"Effect":"allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}`): "Invalid effect: allow",
		managed(`{"Effect":"Allow","Action":"logs:*","Resource":"*"}`):                  "Has prohibited field Resource",
		trust(anybody, `,"Resource":"*"`):                                               "Has prohibited field Resource",
		trust(anybody, `,"NotResource":"*"`): "AssumeRole policy must not " +
			"contain resources.",
		managed(`{"Effect":"Allow","NotPrincipal":{"AWS":"*"},` +
			`"Action":"sts:AssumeRole"}`): "Allow with NotPrincipal is not allowed.",
		managed(`{"Effect":"Deny","NotPrincipal":{"AWS":"*"},` +
			`"Action":"sts:AssumeRole"}`): "AssumeRole policy must not contain NotPrincipal field.",
		managed(`{"Effect":"Allow","Action":"sts:AssumeRole"}`): "Missing required field Principal",
		trust(`{}`, ""): "Missing required field Principal " +
			"cannot be empty!",
		trust(`"*"`, ""):   "Principal must be a JSON object.",
		trust(`["a"]`, ""): "Syntax error in policy.",
		trust(`{"CanonicalUser":"x"}`, ""): `Invalid principal in ` +
			`policy: "CanonicalUser"`,
		trust(`{"AWS":[]}`, ""): "Invalid principal in " +
			"policy: com.amazon.balsa.error.InvalidPolicyException: The passed in policy has a statement with no principals!",
		trust(`{"Service":"ec2"}`, ""): `Invalid principal in ` +
			`policy: "SERVICE":"ec2"`,
		trust(`{"Service":"eks.amazonaws.com.cn"}`, ""): `Invalid principal in ` +
			`policy: "SERVICE":"eks.amazonaws.com.cn"`,
		trust(`{"Federated":"arn:aws:iam//x"}`, ""): "Federated principals " +
			"must be valid domain names or SAML metadata ARNs",
		trust(`{"Federated":""}`, ""): "Federated principals " +
			"must be valid domain names or SAML metadata ARNs",
		trust(`{"Federated":"cognito-identity.amazonaws.com"}`,
			""): "A condition block must be present for the Cognito provider",
		trust(anybody, `,"Condition":{"Equals":{"a":"b"}}`):   "Syntax error in policy.",
		trust(anybody, `,"NotAction":"sts:TagSession"`):       "Syntax error in policy.",
		managed(`{"Effect":"Allow","Principal":{"AWS":"*"}}`): "Missing required field Action",
		managed(`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*"}`): "AssumeRole policy may " +
			"only specify STS AssumeRole actions.",
		managed(`{"Effect":"Allow","Principal":{"AWS":"*"},` +
			`"Action":["sts:AssumeRole","s3:*"]}`): "AssumeRole policy may only specify STS AssumeRole actions.",
		managed(`{"Effect":"Deny","Principal":{"AWS":"*"},"NotAction":"s3:*"}`): "AssumeRole policy may only specify STS " +
			"AssumeRole actions.",
		managed(`[{"Sid":"a","Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"},{"Sid":"a",` +
			`"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]`): "The Statement Ids in the policy are " +
			"not unique",
	} {
		if err := iam.CheckTrust(policy); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", policy, err, want)
		}
	}
	for _, policy := range []string{
		trust(anybody, ""), `{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`,
		trust(`{"AWS":["111122223333","arn:aws:iam::111122223333:root"],"Service":"ec2.amazonaws.com"}`, `,"Condition":{}`),
		trust(`{"Service":["pods.eks.amazonaws.com","logs.us-east-1.amazonaws.com"]}`, `,"Sid":""`),
		trust(`{"Federated":"accounts.google.com"}`, ""),
		trust(`{"Federated":"arn:aws:iam::111122223333:oidc-provider/localhost:4566/id/ABC"}`,
			`,"Condition":{"StringEquals":{"localhost:4566/id/ABC:aud":"sts.amazonaws.com"}}`),
		managed(`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["sts:AssumeRole","sts:TagSession",` +
			`"sts:SetSourceIdentity","sts:SetContext"]}`),
		managed(`{"Effect":"Deny","Principal":{"AWS":"*"},"NotAction":"sts:AssumeRole"}`),
		"\n" + trust(anybody, ""),
	} {
		if err := iam.CheckTrust(policy); err != nil {
			t.Errorf("%s: got %v", policy, err)
		}
		if _, err := iam.ParseTrust(policy); err != nil {
			t.Errorf("%s cannot be read: %v", policy, err)
		}
	}
}

// TestWhatTheGrammarTakesCanBeRead mutates policies: what is taken must be read later.
func TestWhatTheGrammarTakesCanBeRead(t *testing.T) {
	d := newDice(t)
	for range *rounds {
		trusting := d.chance(30)
		check, parse := iam.CheckIdentity, iam.ParseIdentity
		if trusting {
			check, parse = iam.CheckTrust, iam.ParseTrust
		}
		text := d.mutate(d.policy(t, trusting), d.policy(t, trusting))
		if check(text) != nil {
			continue
		}
		if _, err := parse(text); err != nil {
			t.Fatalf("%s is taken and cannot be read: %v", text, err)
		}
	}
}
