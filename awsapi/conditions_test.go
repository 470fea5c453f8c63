package awsapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tripod/region"
	"tripod/state"
)

// statement is a policy of one statement that allows all actions of a service on all resources, on a condition in JSON.
func statement(service, condition string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"` + service +
		`:*","Resource":"*","Condition":` + condition + `}}`
}

// denied gives the user powerless these policies, and says whether the answer to its call is that it may not. body is
// JSON, or for the services at "/" parameters.
func (w *world) denied(t *testing.T, service, method, path, body string, policies ...string) (bool, string) {
	t.Helper()
	w.update(t, func(tx *state.Txn) {
		user, _ := region.Users.Get(tx, "powerless")
		user.Inline = map[string]string{}
		for i, text := range policies {
			user.Inline[fmt.Sprint(i)] = text
		}
		region.Users.Put(tx, user.Name, user)
	})
	header := map[string]string{"User-Agent": "lab/1"}
	if service != "eks" {
		header["Content-Type"] = "application/x-www-form-urlencoded"
	}
	_, text := w.raw(t, method, path, body, header, func(r *http.Request) { signBody(r, body, w.powerless, service) })
	return strings.Contains(text, "is not authorized to perform"), text
}

func TestConditionsOnWhatEveryRequestBrings(t *testing.T) {
	w := newWorld(t)
	w.clock = created
	w.update(t, func(tx *state.Txn) {
		user, _ := region.Users.Get(tx, "powerless")
		user.Tags = map[string]string{"Team": "red"}
		region.Users.Put(tx, user.Name, user)
	})
	for condition, want := range map[string]bool{
		`{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`:                             true,
		`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`:                              false,
		`{"Bool":{"aws:SecureTransport":false}}`:                                   true,
		`{"Bool":{"aws:SecureTransport":"true"}}`:                                  false,
		`{"StringLike":{"aws:UserAgent":"lab/*"}}`:                                 true,
		`{"DateGreaterThan":{"aws:CurrentTime":"2026-03-04T05:06:06Z"}}`:           true,
		`{"DateLessThan":{"aws:CurrentTime":"2026-03-04T05:06:06Z"}}`:              false,
		`{"NumericEquals":{"aws:EpochTime":"1772600767"}}`:                         true,
		`{"StringEquals":{"aws:RequestedRegion":["eu-west-1","us-east-1"]}}`:       true,
		`{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}`:                     false,
		`{"Bool":{"aws:ViaAWSService":"false"}}`:                                   true,
		`{"StringEquals":{"aws:PrincipalTag/team":"red"}}`:                         true,
		`{"StringEquals":{"aws:PrincipalTag/team":"blue"}}`:                        false,
		`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/power*"}}`:            true,
		`{"StringEquals":{"aws:PrincipalType":"User","aws:username":"powerless"}}`: true,
		`{"StringEquals":{"aws:ResourceAccount":"${aws:PrincipalAccount}"}}`:       true,
		`{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}`:                 true,
		// a user's own key has no such key
		`{"Bool":{"aws:MultiFactorAuthPresent":"false"}}`:                            false,
		`{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}`:                    true,
		`{"Null":{"aws:TokenIssueTime":"true"},"StringNotEquals":{"aws:Referer":0}}`: true,
	} {
		if denied, text := w.denied(t, "eks", "GET", "/clusters", "", statement("eks", condition)); denied == want {
			t.Errorf("%s: got %s", condition, text)
		}
	}
}

func TestConditionsOnEKSRequests(t *testing.T) {
	w := newWorld(t)
	w.clock = created
	w.update(t, func(tx *state.Txn) {
		cluster, _ := region.Clusters.Get(tx, clusterID)
		cluster.Tags = map[string]string{"env": "lab"}
		region.Clusters.Put(tx, clusterID, cluster)
		region.AccessEntries.Put(tx, clusterID+"/arn:aws:iam::111122223333:role/dev",
			region.AccessEntry{ClusterID: clusterID,
				ARN:          "arn:aws:eks:us-east-1:111122223333:access-entry/demo/role/111122223333/dev/1",
				PrincipalARN: "arn:aws:iam::111122223333:role/dev", Type: "STANDARD", Username: "dev",
				Groups: []string{"devs"}, Tags: map[string]string{"owner": "ann"}})
	})
	const (
		create = `{"name":"x","roleArn":"arn:aws:iam::111122223333:role/eks",
			"resourcesVpcConfig":{"endpointPublicAccess":false,"subnetIds":["subnet-1"]},"version":"1.36",
			"accessConfig":{"authenticationMode":"API"},"tags":{"team":"red"},"logging":{"clusterLogging":[
			{"types":["api","audit"],"enabled":true},{"types":["scheduler"],"enabled":false}]},
			"encryptionConfig":[
			{"provider":{"keyArn":"arn:aws:kms:us-east-1:111122223333:key/k"},"resources":["secrets"]}]}`
		demoTags  = "/tags/arn%3Aaws%3Aeks%3Aus-east-1%3A111122223333%3Acluster%2Fdemo"
		entry     = "/clusters/demo/access-entries"
		dev       = entry + "/arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fdev"
		associate = `{"policyArn":"arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",` +
			`"accessScope":{"type":"namespace","namespaces":["a","b"]}}`
	)
	for _, c := range []struct {
		method, path, body, condition string
		want                          bool
	}{
		{"POST", "/clusters", create,
			`{"Bool":{"eks:endpointPublicAccess":"false"},"StringEquals":{"eks:authenticationMode":"API",` +
				`"eks:kubernetesVersion":"1.36"}}`, true},
		{"POST", "/clusters", create, `{"Bool":{"eks:endpointPublicAccess":"true"}}`, false},
		{"POST", "/clusters", create,
			`{"Bool":{"eks:loggingType/audit":"true","eks:loggingType/scheduler":"false",` +
				`"eks:kubeApiServerConfig":"false"}}`, true},
		{"POST", "/clusters", create, `{"Bool":{"eks:loggingType/authenticator":"true"}}`, false},
		{"POST", "/clusters", create,
			`{"ForAnyValue:ArnLike":{"eks:encryptionConfigProviderKeyArns":"arn:aws:kms:*:*:key/k"}}`, true},
		{"POST", "/clusters", create,
			`{"StringEquals":{"aws:RequestTag/Team":"red"},"ForAllValues:StringEquals":{"aws:TagKeys":["team",` +
				`"env"]}}`, true},
		{"POST", "/clusters", create, `{"StringEquals":{"aws:RequestTag/team":"blue"}}`, false},
		{"POST", demoTags, `{"tags":{"team":"blue"},"Tags":{"team":"red"}}`,
			`{"StringEquals":{"aws:RequestTag/team":"red"}}`, false},
		{"POST", demoTags, `{"tags":{"team":"red"},"Tags":{"team":"blue"}}`,
			`{"StringEquals":{"aws:RequestTag/team":"red"}}`, true},
		{"POST", "/clusters?Tags.member.1.Key=team&Tags.member.1.Value=red",
			strings.Replace(create, `"tags":{"team":"red"},`, "", 1), `{"StringEquals":{"aws:RequestTag/team":"red"}}`,
			false},
		{"GET", "/clusters/demo", "", `{"StringEquals":{"aws:ResourceTag/env":"lab"}}`, true},
		{"GET", "/clusters/demo/updates", "", `{"StringEquals":{"aws:ResourceTag/env":"prod"}}`, false},
		{"GET", "/clusters/other", "", `{"StringEquals":{"aws:ResourceTag/env":"lab"}}`, false},
		{"POST", entry,
			`{"principalArn":"arn:aws:iam::111122223333:role/x","kubernetesGroups":["a","b"],"type":"STANDARD",` +
				`"username":"u"}`,
			`{"ForAllValues:StringEquals":{"eks:kubernetesGroups":["a","b","c"]},` +
				`"StringEquals":{"eks:accessEntryType":"STANDARD","eks:username":"u","eks:clusterName":"demo"},` +
				`"ArnEquals":{"eks:principalArn":"arn:aws:iam::*:role/x"}}`, true},
		{"POST", entry, `{"principalArn":"arn:aws:iam::111122223333:role/x","kubernetesGroups":["a","z"]}`,
			`{"ForAllValues:StringEquals":{"eks:kubernetesGroups":["a","b","c"]}}`, false},
		{"GET", dev, "",
			`{"StringEquals":{"eks:username":"dev","eks:kubernetesGroups":"devs","aws:ResourceTag/owner":"ann"}}`,
			true},
		{"DELETE", dev, "", `{"StringEquals":{"eks:username":"ann"}}`, false},
		{"POST", dev, `{"username":"ann"}`, `{"StringEquals":{"eks:username":"dev"}}`, false},
		{"POST", dev + "/access-policies", associate,
			`{"ArnLike":{"eks:policyArn":"*:cluster-access-policy/AmazonEKSView*"}}`, false},
		{"POST", dev + "/access-policies", associate,
			`{"ArnLike":{"eks:policyArn":"arn:aws:eks::aws:cluster-access-policy/AmazonEKSView*"},` +
				`"StringEquals":{"eks:accessScope":"namespace"},"ForAllValues:StringLike":{"eks:namespaces":["a",` +
				`"b*"]}}`, true},
		{"POST", "/clusters/demo/identity-provider-configs/associate",
			`{"oidc":{"identityProviderConfigName":"o","issuerUrl":"https://x.example","clientId":"c"}}`,
			`{"StringEquals":{"eks:issuerUrl":"https://x.example","eks:clientId":"c"}}`, true},
		{"DELETE", demoTags + "?tagKeys=env", "",
			`{"ForAnyValue:StringEquals":{"aws:TagKeys":"env"},"StringEquals":{"aws:ResourceTag/env":"lab"}}`, true},
	} {
		denied, text := w.denied(t, "eks", c.method, c.path, c.body, statement("eks", c.condition),
			statement("iam", `{}`))
		if denied == c.want || strings.Contains(text, "SerializationException") ||
			strings.Contains(text, "validation error") {
			t.Errorf("%s %s with %s: got %s", c.method, c.path, c.condition, text)
		}
	}
}

func TestWhoGivesARoleNeedsToPassIt(t *testing.T) {
	w := newWorld(t)
	w.clock = created
	region1 := statement("eks", `{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`)
	for _, c := range []struct{ path, body, service string }{
		{"/clusters", `{"name":"x","roleArn":"ROLE","resourcesVpcConfig":{"subnetIds":["subnet-1"]}}`,
			"eks.amazonaws.com"},
		{"/clusters/demo/node-groups", `{"nodegroupName":"n","nodeRole":"ROLE","subnets":["subnet-1"]}`,
			"eks.amazonaws.com"},
		{"/clusters/demo/fargate-profiles", `{"fargateProfileName":"f","podExecutionRoleArn":"ROLE"}`,
			"eks.amazonaws.com"},
		{"/clusters/demo/addons",
			`{"addonName":"vpc-cni","podIdentityAssociations":[{"serviceAccount":"a","roleArn":"ROLE"}]}`,
			"pods.eks.amazonaws.com"},
		{"/clusters/demo/pod-identity-associations", `{"namespace":"n","serviceAccount":"a","roleArn":"ROLE"}`,
			"pods.eks.amazonaws.com"},
		{"/clusters/demo/access-entries", `{"principalArn":"ROLE","type":"EC2_LINUX"}`, "eks.amazonaws.com"},
		{"/clusters/demo/access-entries", `{"principalArn":"ROLE","type":"EC2_WINDOWS"}`, "eks.amazonaws.com"},
	} {
		const role = "arn:aws:iam::111122223333:role/given"
		body := strings.ReplaceAll(c.body, "ROLE", role)
		want := "User: arn:aws:iam::111122223333:user/powerless is not authorized to perform: iam:PassRole on " +
			"resource: " + role + " because no identity-based policy allows the iam:PassRole action"
		if denied, text := w.denied(t, "eks", "POST", c.path, body, region1); !denied || !strings.Contains(text, want) {
			t.Errorf("%s without iam:PassRole: got %s", c.path, text)
		}
		for _, almost := range []string{" " + role, role + " ", "given",
			"arn:aws:iam::111122223333:role/"} { // who reads it later may read it more kindly
			if denied, text := w.denied(t, "eks", "POST", c.path, strings.ReplaceAll(c.body, "ROLE", almost),
				region1); !denied || !strings.Contains(text, "iam:PassRole") {
				t.Errorf("%s for %q without iam:PassRole: got %s", c.path, almost, text)
			}
		}
		for service, wantDenied := range map[string]bool{c.service: false, "lambda.amazonaws.com": true} {
			if denied, text := w.denied(t, "eks", "POST", c.path, body, region1,
				statement("iam", `{"StringEquals":{"iam:PassedToService":"`+service+`"}}`)); denied != wantDenied {
				t.Errorf("%s, passing to %s: got %s", c.path, service, text)
			}
		}
	}
}

func TestWhoLetsARoleInPassesItToNobody(t *testing.T) {
	w := newWorld(t)
	w.clock = created
	for _, kind := range []string{``, `,"type":"STANDARD"`, `,"type":"HYBRID_LINUX"`} {
		body := `{"principalArn":"arn:aws:iam::111122223333:role/given"` + kind + `}`
		if denied, text := w.denied(t, "eks", "POST", "/clusters/demo/access-entries", body,
			statement("eks", `{}`)); denied {
			t.Errorf("%s: got %s", body, text)
		}
	}
}

func TestWhoTagsWhatItMakesNeedsLeaveToTagIt(t *testing.T) {
	w := newWorld(t)
	w.clock = created
	const body = `{"nodegroupName":"n","nodeRole":"arn:aws:iam::111122223333:role/n","subnets":["subnet-1"]TAGS}`
	create := `{"Statement":{"Effect":"Allow","Action":["eks:CreateNodegroup","iam:PassRole"],"Resource":"*"}}`
	tag := func(resource string) string {
		return `{"Statement":{"Effect":"Allow","Action":"eks:TagResource","Resource":"` + resource +
			`","Condition":{"StringEquals":{"aws:RequestTag/a":"b"}}}}`
	}
	for _, c := range []struct {
		tags     string
		policies []string
		want     bool
	}{
		{``, []string{create}, true},
		{`,"tags":{"a":"b"}`, []string{create}, false},
		{`,"tags":{"a":"b"}`, []string{create, tag("arn:aws:eks:*:*:nodegroup/demo/n/*")}, true},
		{`,"tags":{"a":"c"}`, []string{create, tag("*")}, false},
		{`,"tags":{"a":"b"}`, []string{create, tag("arn:aws:eks:*:*:nodegroup/demo/other/*")}, false},
	} {
		if denied, text := w.denied(t, "eks", "POST", "/clusters/demo/node-groups",
			strings.Replace(body, "TAGS", c.tags, 1), c.policies...); denied == c.want {
			t.Errorf("%s with %s: got %s", c.tags, c.policies, text)
		}
	}
}

func TestConditionsOnIAMRequests(t *testing.T) {
	w := newWorld(t)
	w.clock = created
	w.update(t, func(tx *state.Txn) {
		region.Roles.Put(tx, "r", region.Role{Name: "r", ID: "AROA", ARN: "arn:aws:iam::111122223333:role/r",
			Tags: map[string]string{"env": "lab"}, Boundary: "arn:aws:iam::aws:policy/ReadOnlyAccess"})
	})
	const trust = `{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},` +
		`"Action":"sts:AssumeRole"}}`
	for _, c := range []struct {
		params, condition string
		want              bool
	}{
		{"Action=AttachRolePolicy&RoleName=r&PolicyArn=arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
			`{"ArnLike":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AmazonEKS*"}}`, true},
		{"Action=AttachRolePolicy&RoleName=r&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess",
			`{"ArnLike":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AmazonEKS*"}}`, false},
		{"Action=AttachRolePolicy&RoleName=r&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess",
			`{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::aws:policy/ReadOnlyAccess"}}`, true},
		{"Action=GetRole&RoleName=r", `{"StringEquals":{"aws:ResourceTag/env":"lab","iam:ResourceTag/Env":"lab"}}`,
			true},
		{"Action=CreateRole&RoleName=n&AssumeRolePolicyDocument=" + url.QueryEscape(trust) +
			"&Tags.member.1.Key=env&Tags.member.1.Value=lab", `{"StringEquals":{"aws:RequestTag/env":"lab"}}`, true},
		{"Action=CreateRole&RoleName=n&AssumeRolePolicyDocument=" + url.QueryEscape(trust),
			`{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::aws:policy/ReadOnlyAccess"}}`, false},
		{"Action=CreateServiceLinkedRole&AWSServiceName=eks.amazonaws.com",
			`{"StringLike":{"iam:AWSServiceName":"eks*.amazonaws.com"}}`, true},
	} {
		if denied, text := w.denied(t, "iam", "POST", "/", c.params+"&Version=2010-05-08",
			statement("iam", c.condition)); denied == c.want {
			t.Errorf("%s with %s: got %s", c.params, c.condition, text)
		}
	}
}
