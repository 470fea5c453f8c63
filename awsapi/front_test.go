package awsapi_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

func TestDescribeClusterShowsWhatEKSShows(t *testing.T) {
	w := newWorld(t)
	out, err := w.eks(w.admin).DescribeCluster(context.Background(),
		&eks.DescribeClusterInput{Name: aws.String("demo")})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Cluster
	vpc := c.ResourcesVpcConfig
	for text, pattern := range map[string]string{
		aws.ToString(vpc.VpcId):                  `^vpc-0[0-9a-f]{16}$`,
		aws.ToString(vpc.ClusterSecurityGroupId): `^sg-0[0-9a-f]{16}$`,
		strings.Join(vpc.SubnetIds, " "):         `^subnet-0[0-9a-f]{16} subnet-0[0-9a-f]{16} subnet-0[0-9a-f]{16}$`,
	} {
		if !regexp.MustCompile(pattern).MatchString(text) {
			t.Errorf("%q does not match %s", text, pattern)
		}
	}
	want := &types.Cluster{
		Name: aws.String("demo"), Arn: aws.String("arn:aws:eks:us-east-1:111122223333:cluster/demo"),
		CreatedAt: aws.Time(created),
		Version:   aws.String("1.36"), Status: types.ClusterStatusActive, PlatformVersion: aws.String("eks.1"),
		Endpoint: aws.String("https://127.0.0.1:16443"),
		RoleArn:  aws.String("arn:aws:iam::111122223333:role/eksClusterRole"),
		CertificateAuthority: &types.Certificate{
			Data: aws.String(base64.StdEncoding.EncodeToString([]byte("-----BEGIN CERTIFICATE-----\n")))},
		Identity: &types.Identity{Oidc: &types.OIDC{Issuer: aws.String("https://localhost:4566/id/" +
			clusterID)}},
		AccessConfig:  &types.AccessConfigResponse{AuthenticationMode: types.AuthenticationModeApiAndConfigMap},
		UpgradePolicy: &types.UpgradePolicyResponse{SupportType: types.SupportTypeExtended},
		Health:        &types.ClusterHealth{Issues: []types.ClusterIssue{}}, Tags: map[string]string{},
		DeletionProtection: aws.Bool(false),
		Logging: &types.Logging{ClusterLogging: []types.LogSetup{{Enabled: aws.Bool(false),
			Types: []types.LogType{"api", "audit", "authenticator", "controllerManager", "scheduler"}}}},
		KubernetesNetworkConfig: &types.KubernetesNetworkConfigResponse{
			ServiceIpv4Cidr: aws.String("10.100.0.0/16"), IpFamily: types.IpFamilyIpv4,
			ElasticLoadBalancing: &types.ElasticLoadBalancing{Enabled: aws.Bool(false)},
		},
		ResourcesVpcConfig: &types.VpcConfigResponse{
			EndpointPublicAccess: true, PublicAccessCidrs: []string{"0.0.0.0/0"}, SecurityGroupIds: []string{},
			VpcId: vpc.VpcId, ClusterSecurityGroupId: vpc.ClusterSecurityGroupId, SubnetIds: vpc.SubnetIds,
		},
		ControlPlaneScalingConfig: &types.ControlPlaneScalingConfig{Tier: types.ProvisionedControlPlaneTierStandard},
	}
	parameters := cmpopts.IgnoreFields(types.Cluster{}, "KubeApiServerConfig", "KubeSchedulerConfig",
		"KubeControllerManagerConfig") // package eks shows them
	active := cmpopts.IgnoreFields(types.Certificate{}, "Active")
	if diff := cmp.Diff(want, c, parameters, active,
		cmpopts.IgnoreUnexported(types.Cluster{}, types.Certificate{}, types.Identity{}, types.OIDC{},
			types.AccessConfigResponse{}, types.UpgradePolicyResponse{}, types.ClusterHealth{}, types.Logging{},
			types.LogSetup{},
			types.KubernetesNetworkConfigResponse{}, types.ElasticLoadBalancing{}, types.VpcConfigResponse{},
			types.ControlPlaneScalingConfig{})); diff != "" {
		t.Errorf("cluster (-want +got):\n%s", diff)
	}
}

func TestFalseIsWrittenWhereEKSWritesIt(t *testing.T) {
	w := newWorld(t)
	_, body := w.raw(t, "GET", "/clusters/demo", "", nil, signAs(t, w.admin, "eks"))
	for _, want := range []string{`"endpointPrivateAccess":false`, `"endpointPublicAccess":true`,
		`"createdAt":1772600767.25`, `"tags":{}`} {
		if strings.Count(body, want) != 1 {
			t.Errorf("got %s, want %s in it once", body, want)
		}
	}
}

func TestClusterBeingCreatedHasNoEndpointYet(t *testing.T) {
	w := newWorld(t)
	w.update(t, func(tx *state.Txn) {
		c, _ := region.Clusters.Get(tx, clusterID)
		c.Status = "CREATING"
		region.Clusters.Put(tx, clusterID, c)
	})
	out, err := w.eks(w.admin).DescribeCluster(context.Background(),
		&eks.DescribeClusterInput{Name: aws.String("demo")})
	if err != nil {
		t.Fatal(err)
	}
	if c := out.Cluster; c.Endpoint != nil || c.CertificateAuthority.Data != nil || c.Identity != nil ||
		c.Status != "CREATING" {
		t.Errorf("got endpoint %v, authority %v, identity %v, status %s", c.Endpoint, c.CertificateAuthority,
			c.Identity, c.Status)
	}
}

func TestUnknownClusterIsNotFound(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"nope", "a/b", "a b", "ü", ".."} {
		_, err := w.eks(w.admin).DescribeCluster(context.Background(),
			&eks.DescribeClusterInput{Name: aws.String(name)})
		wantCode(t, err, "ResourceNotFoundException", http.StatusNotFound)
		var notFound *types.ResourceNotFoundException
		if !errors.As(err, &notFound) {
			t.Fatalf("got %T", err)
		}
		if aws.ToString(notFound.ClusterName) != name ||
			notFound.ErrorMessage() != "No cluster found for name: "+name+"." {
			t.Errorf("got clusterName %q and message %q", aws.ToString(notFound.ClusterName), notFound.ErrorMessage())
		}
	}
}

func TestListClustersPages(t *testing.T) {
	w := newWorld(t)
	want := []string{"demo"}
	w.update(t, func(tx *state.Txn) {
		for i := range 5 {
			name := fmt.Sprintf("extra-%d", i)
			region.Clusters.Put(tx, fmt.Sprintf("%032X", 9-i),
				region.Cluster{ID: fmt.Sprintf("%032X", 9-i), Name: name})
			want = append(want, name)
		}
	})
	for _, size := range []int32{0, 1, 2, 6, 100} {
		input := &eks.ListClustersInput{Include: []string{"all"}}
		if size > 0 {
			input.MaxResults = aws.Int32(size)
		}
		var got []string
		for pages := eks.NewListClustersPaginator(w.eks(w.admin), input); pages.HasMorePages(); {
			page, err := pages.NextPage(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if size > 0 && len(page.Clusters) > int(size) {
				t.Errorf("a page of %d clusters, want at most %d", len(page.Clusters), size)
			}
			got = append(got, page.Clusters...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
	for _, input := range []*eks.ListClustersInput{{MaxResults: aws.Int32(0)}, {MaxResults: aws.Int32(101)},
		{NextToken: aws.String("mine")}} {
		_, err := w.eks(w.admin).ListClusters(context.Background(), input)
		wantCode(t, err, "InvalidParameterException", http.StatusBadRequest)
	}
}

func TestNoClustersIsAnEmptyList(t *testing.T) {
	w := newWorld(t)
	w.update(t, func(tx *state.Txn) { region.Clusters.Delete(tx, clusterID) })
	response, body := w.raw(t, "GET", "/clusters", "", nil, signAs(t, w.admin, "eks"))
	if response.StatusCode != http.StatusOK || body != `{"clusters":[]}` {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
}

func TestCallerIdentityIsTheSigner(t *testing.T) {
	w := newWorld(t)
	out, err := w.sts(w.powerless).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(out.Arn); got != "arn:aws:iam::111122223333:user/powerless" {
		t.Errorf("got ARN %s", got)
	}
	if out, err = w.sts(w.admin).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{}); err != nil {
		t.Fatal(err)
	}
	got := []string{aws.ToString(out.Arn), aws.ToString(out.Account), aws.ToString(out.UserId)}
	if diff := cmp.Diff([]string{w.user.ARN, iam.DefaultAccountID, w.user.ID}, got); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
}

func TestPresignedCallerIdentityWorks(t *testing.T) {
	w := newWorld(t)
	request, err := sts.NewPresignClient(w.sts(w.admin)).PresignGetCallerIdentity(context.Background(),
		&sts.GetCallerIdentityInput{},
		func(o *sts.PresignOptions) {
			o.ClientOptions = append(o.ClientOptions, func(o *sts.Options) {
				o.APIOptions = append(o.APIOptions,
					func(stack *middleware.Stack) error { return stack.Build.Add(expires("60"), middleware.After) })
			})
		})
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(request.URL, w.url)
	response, body := w.raw(t, request.Method, path, "", nil, nil)
	want := `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>` + w.user.ARN + `</Arn>
    <UserId>` + w.user.ID + `</UserId>
    <Account>111122223333</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata>
    <RequestId>` + response.Header.Get("X-Amzn-Requestid") + `</RequestId>
  </ResponseMetadata>
</GetCallerIdentityResponse>`
	if diff := cmp.Diff(want, body); diff != "" || response.Header.Get("Content-Type") != "text/xml" {
		t.Errorf("%s (-want +got):\n%s", response.Header.Get("Content-Type"), diff)
	}

	// aws-iam-authenticator asks for JSON.
	_, body = w.raw(t, request.Method, path, "", map[string]string{"Accept": "application/json"}, nil)
	var wrapped struct {
		GetCallerIdentityResponse struct {
			GetCallerIdentityResult struct{ Account, Arn, UserId string }
		}
	}
	if err := json.Unmarshal([]byte(body), &wrapped); err != nil ||
		wrapped.GetCallerIdentityResponse.GetCallerIdentityResult.Arn != w.user.ARN {
		t.Errorf("JSON: %v, %s", err, body)
	}

	w.clock = time.Now().Add(2 * time.Minute)
	if _, body := w.raw(t, request.Method, path, "", nil, nil); !strings.Contains(body, "<Code>RequestExpired</Code>") {
		t.Errorf("after its expiry: %s", body)
	}
}

func TestWhatTripodDoesNotHaveIsNamed(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	identity := w.sts(w.admin)
	_, err := identity.AssumeRoot(ctx, &sts.AssumeRootInput{TargetPrincipal: aws.String("111122223333"),
		TaskPolicyArn: &ststypes.PolicyDescriptorType{}})
	wantCode(t, err, "InvalidAction", http.StatusBadRequest)
	if !strings.Contains(err.Error(), "Tripod does not have sts:AssumeRoot yet.") {
		t.Errorf("got %v", err)
	}
	_, err = identity.AssumeRoleWithSAML(ctx,
		&sts.AssumeRoleWithSAMLInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/pod"),
			PrincipalArn: aws.String("arn:aws:iam::111122223333:saml-provider/x"), SAMLAssertion: aws.String("e30")})
	wantCode(t, err, "InvalidAction", http.StatusBadRequest)
}

func TestRequestsThatNobodyHas(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, method, path, service, body string
		header                            map[string]string
		status                            int
		want                              []string
	}{
		{"EKS path", "GET", "/nothing/here", "eks", "", nil, 404, []string{"EKS has no operation GET /nothing/here."}},
		{"EKS method", "PATCH", "/clusters/demo", "eks", "", nil, 404, []string{"EKS has no operation PATCH"}},
		{"unclean path", "GET", "//clusters", "eks", "", nil, 404, []string{"EKS has no operation GET //clusters."}},
		{"STS path", "GET", "/x", "sts", "", nil, 400, []string{"<Code>InvalidAction</Code>", "STS is called with"}},
		{"STS method", "DELETE", "/?Action=GetCallerIdentity&Version=2011-06-15", "sts", "", nil, 400,
			[]string{"<Code>InvalidAction</Code>"}},
		{"STS action", "GET", "/?Action=Nothing&Version=2011-06-15", "sts", "", nil, 400,
			[]string{"<Type>Sender</Type>", "<Code>InvalidAction</Code>",
				"Could not find operation Nothing for version 2011-06-15"}},
		{"STS version", "GET", "/?Action=GetCallerIdentity&Version=2010-01-01", "sts", "", nil, 400,
			[]string{"for version 2010-01-01"}},
		{"STS without action", "GET", "/", "sts", "", nil, 400, []string{"<Code>MissingAction</Code>"}},
		{"STS with two actions", "GET", "/?Action=GetCallerIdentity&Action=AssumeRole&Version=2011-06-15", "sts", "",
			nil, 400, []string{"<Code>MalformedQueryString</Code>"}},
		{"IAM", "GET", "/?Action=ListServerCertificates&Version=2010-05-08", "iam", "", nil, 400,
			[]string{"<Code>InvalidAction</Code>", "iam:ListServerCertificates"}},
		{"EC2", "GET", "/?Action=DescribeReservedInstances&Version=2016-11-15", "ec2", "", nil, 400,
			[]string{"<Response>", "<Code>InvalidAction</Code>", "ec2:DescribeReservedInstances", "--upstream",
				"<RequestID>"}},
		{"JSON service", "POST", "/", "logs", "", map[string]string{"X-Amz-Target": "Logs_20140328.DescribeLogGroups"},
			501, []string{`"__type":"UnknownOperationException"`, "Tripod does not have logs:DescribeLogGroups yet."}},
		{"REST service", "GET", "/bucket", "s3", "", nil, 501,
			[]string{"<Error>", "<Code>NotImplemented</Code>", "Tripod does not have the service s3 yet.", "--upstream",
				"<RequestId>"}},
		{"REST in XML", "GET", "/2013-04-01/hostedzone", "route53", "", nil, 501,
			[]string{"<ErrorResponse>", "<Code>NotImplemented</Code>", "Tripod does not have the service route53 yet.",
				"<RequestId>"}},
		{"REST in JSON", "GET", "/2015-03-31/functions/", "lambda", "", nil, 501,
			[]string{`{"message":"Tripod does not have the service lambda yet.`}},
		{"query", "GET", "/?Action=ListTopics&Version=2010-03-31", "sns", "", nil, 400,
			[]string{"<ErrorResponse>", "<Code>InvalidAction</Code>", "Tripod does not have sns:ListTopics yet."}},
		{"JSON 1.0", "POST", "/", "dynamodb", "", map[string]string{"X-Amz-Target": "DynamoDB_20120810.ListTables",
			"Content-Type": "application/x-amz-json-1.0"}, 501,
			[]string{`"__type":"UnknownOperationException"`, "Tripod does not have dynamodb:ListTables yet."}},
		{"CBOR", "POST", "/service/GraniteServiceVersion20100801/operation/ListMetricStreams", "monitoring", "",
			map[string]string{"Smithy-Protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"}, 501,
			[]string{"__type", "UnknownOperationException", "message",
				"Tripod does not have monitoring:ListMetricStreams yet."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			response, body := w.raw(t, c.method, c.path, c.body, c.header, signAs(t, w.admin, c.service))
			if response.StatusCode != c.status {
				t.Errorf("got status %d, want %d", response.StatusCode, c.status)
			}
			for _, want := range c.want {
				if !strings.Contains(body, want) {
					t.Errorf("got %s, want %q in it", body, want)
				}
			}
			if id := response.Header.Get("X-Amzn-Requestid"); len(id) != 36 {
				t.Errorf("got request id %q", id)
			}
		})
	}
}
