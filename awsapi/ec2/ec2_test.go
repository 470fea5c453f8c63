package ec2

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// demoID is the id of the cluster that newService has.
const demoID = "0123456789ABCDEF0123456789ABCDEF"

func newService() *Service {
	return &Service{
		VPC: VPC{AccountID: "111122223333", Region: "us-east-1", Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}},
		State: region.NewMemory(func(tx *state.Txn) {
			region.Clusters.Put(tx, demoID, region.Cluster{ID: demoID, Name: "demo"})
		}),
	}
}

// ask calls an operation with parameters in the form Name=value. An answer with members that Amazon's model does not
// have is an error.
func ask(s *Service, operation string, params ...string) (string, error) {
	_, body, err := asking(s, operation, params...)
	return body, err
}

// asking is ask, and gives the call too.
func asking(s *Service, name string, params ...string) (*operation.Call, string, error) {
	values := url.Values{"Action": {name}, "Version": {Version}}
	for _, param := range params {
		key, value, _ := strings.Cut(param, "=")
		values.Set(key, value)
	}
	w := httptest.NewRecorder()
	call := &operation.Call{RequestID: "id", Params: values, Request: httptest.NewRequest("POST", "/", nil),
		Principal: iam.Principal{ARN: "arn:aws:iam::111122223333:user/admin", Policies: []string{iam.AdministratorAccess}}}
	if err := s.API().Serve(w, call); err != nil {
		return call, "", err
	}
	extra, err := unmodelled(name, w.Body.String())
	if err == nil && len(extra) > 0 {
		err = fmt.Errorf("%s answers with what is not in Amazon's model: %s", name, strings.Join(extra, ", "))
	}
	return call, w.Body.String(), err
}

func must(t *testing.T, s *Service, operation string, params ...string) string {
	t.Helper()
	body, err := ask(s, operation, params...)
	if err != nil {
		t.Fatalf("%s %v: %v", operation, params, err)
	}
	return body
}

func element(t *testing.T, body, name string) string {
	t.Helper()
	found := regexp.MustCompile("<" + name + ">([^<]*)<").FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("no %s in %s", name, body)
	}
	return found[1]
}

func TestDefaultNetworkHasAPublicAndAPrivateSubnetInEachZone(t *testing.T) {
	s := newService()
	for _, tt := range []struct{ filter, value string }{{"kubernetes.io/role/elb", "1"},
		{"kubernetes.io/role/internal-elb", "1"}} {
		body := must(t, s, "DescribeSubnets", "Filter.1.Name=tag:"+tt.filter, "Filter.1.Value.1="+tt.value,
			"Filter.2.Name=availability-zone", "Filter.2.Value.1=us-*")
		if got := strings.Count(body, "<subnetId>"); got != 3 {
			t.Errorf("%s: got %d subnets, want 3:\n%s", tt.filter, got, body)
		}
	}
	_ = s.State.View(func(tx *state.Txn) error {
		for i := range s.VPC.Zones {
			if private, err := s.IsPrivate(tx, s.VPC.SubnetIDs()[i]); !private || err != nil {
				t.Errorf("IsPrivate(private) = %v, %v", private, err)
			}
			if private, err := s.IsPrivate(tx, s.VPC.PublicSubnetIDs()[i]); private || err != nil {
				t.Errorf("IsPrivate(public) = %v, %v", private, err)
			}
		}
		return nil
	})
}

func TestCreatedNetworkCarriesACluster(t *testing.T) {
	s := newService()
	vpcID := element(t, must(t, s, "CreateVpc", "CidrBlock=192.168.0.0/16", "TagSpecification.1.ResourceType=vpc",
		"TagSpecification.1.Tag.1.Key=Name", "TagSpecification.1.Tag.1.Value=a/b"), "vpcId")
	a := element(t, must(t, s, "CreateSubnet", "VpcId="+vpcID, "CidrBlock=192.168.0.0/24",
		"AvailabilityZone=us-east-1a"), "subnetId")
	b := element(t, must(t, s, "CreateSubnet", "VpcId="+vpcID, "CidrBlock=192.168.1.0/24",
		"AvailabilityZoneId=use1-az2"), "subnetId")
	group := element(t, must(t, s, "CreateSecurityGroup", "VpcId="+vpcID, "GroupName=nodes", "GroupDescription=nodes"),
		"groupId")
	if body := must(t, s, "DescribeVpcs", "Filter.1.Name=tag:Name", "Filter.1.Value.1=a*"); element(t, body,
		"vpcId") != vpcID {
		t.Errorf("the tag filter found %s", body)
	}
	check := func(subnetIDs []string, groupIDs ...string) (plan NetworkPlan, err error) {
		_ = s.State.View(func(tx *state.Txn) error { plan, err = s.CheckNetwork(tx, subnetIDs, groupIDs); return nil })
		return plan, err
	}
	if plan, err := check([]string{a, b}, group); err != nil || plan.VPCID != vpcID || len(plan.Zones) != 2 ||
		plan.CIDRs[0] != "192.168.0.0/16" {
		t.Errorf("got %+v, %v", plan, err)
	}
	for _, tt := range []struct {
		want    string
		subnets []string
		groups  []string
	}{
		{"at least two different AZs", []string{a}, nil},
		{"same VPC", []string{a, s.VPC.SubnetIDs()[1]}, nil},
		{"does not exist", []string{a, "subnet-00000000000000000"}, nil},
		{"not in the subnets' VPC", s.VPC.SubnetIDs(), []string{group}},
	} {
		if _, err := check(tt.subnets, tt.groups...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
	if _, err := ask(s, "DeleteVpc", "VpcId="+vpcID); code(err) != "DependencyViolation" {
		t.Errorf("got %v, want DependencyViolation", err)
	}
	for _, call := range [][2]string{{"DeleteSubnet", "SubnetId=" + a}, {"DeleteSubnet", "SubnetId=" + b},
		{"DeleteSecurityGroup", "GroupId=" + group}, {"DeleteVpc", "VpcId=" + vpcID}} {
		must(t, s, call[0], call[1])
	}
	if _, err := ask(s, "DescribeVpcs", "VpcId.1="+vpcID); code(err) != "InvalidVpcID.NotFound" {
		t.Errorf("got %v, want InvalidVpcID.NotFound", err)
	}
}

func code(err error) string {
	var e *wire.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestBadInputGetsEC2sOwnError(t *testing.T) {
	s := newService()
	vpc := "VpcId=" + s.VPC.ID()
	for _, tt := range []struct {
		want   string
		call   string
		params []string
	}{
		{"InvalidAction", "DescribeNothing", nil},
		{"MissingParameter", "CreateSubnet", []string{vpc}},
		{"InvalidVpcID.Malformed", "CreateSubnet", []string{"VpcId=vpc", "CidrBlock=10.0.200.0/24"}},
		{"InvalidVpcID.NotFound", "CreateSubnet", []string{"VpcId=vpc-00000000000000000", "CidrBlock=10.0.200.0/24"}},
		{"InvalidSubnet.Conflict", "CreateSubnet", []string{vpc, "CidrBlock=10.0.32.0/24"}},
		{"InvalidSubnet.Range", "CreateSubnet", []string{vpc, "CidrBlock=10.1.0.0/24"}},
		{"InvalidSubnet.Range", "CreateSubnet", []string{vpc, "CidrBlock=10.0.0.0/29"}},
		{"InvalidVpc.Range", "CreateVpc", []string{"CidrBlock=10.0.0.0/8"}},
		{"InvalidParameterValue", "CreateVpc", []string{"CidrBlock=::/16"}},
		{"UnknownParameter", "CreateVpc", []string{"CidrBlock=10.0.0.0/16", "Ipv6Pool=x"}},
		{"DryRunOperation", "CreateVpc", []string{"CidrBlock=10.0.0.0/16", "DryRun=true"}},
		{"InvalidParameterValue", "DescribeVpcs", []string{"Filter.1.Name=colour", "Filter.1.Value.1=red"}},
		{"InvalidParameterValue", "DescribeVpcs", []string{"MaxResults=many"}},
		{"InvalidParameterValue", "DescribeVpcs", []string{"MaxResults=1"}},
		{"InvalidNextToken", "DescribeVpcs", []string{"NextToken=x"}},
		{"InvalidID", "CreateTags", []string{"ResourceId.1=x", "Tag.1.Key=a"}},
		{"InvalidParameterValue", "CreateTags", []string{"ResourceId.1=" + s.VPC.ID(), "Tag.1.Key=aws:x"}},
		{"OperationNotPermitted", "DeleteVpc", []string{vpc}},
		{"DependencyViolation", "DeleteSubnet", []string{"SubnetId=" + s.VPC.SubnetIDs()[0]}},
		{"DependencyViolation", "DeleteSecurityGroup",
			[]string{"GroupId=" + s.VPC.ClusterSecurityGroupID("0123456789ABCDEF0123456789ABCDEF")}},
		{"InvalidParameterValue", "DescribeRegions", []string{"RegionName.1=eu-west-9"}},
	} {
		if _, err := ask(s, tt.call, tt.params...); code(err) != tt.want {
			t.Errorf("%s %v: got %v, want %s", tt.call, tt.params, err, tt.want)
		}
	}
}

func FuzzServe(f *testing.F) {
	f.Add("Action=DescribeVpcs&Filter.1.Name=vpc-id&Filter.1.Value.1=*")
	f.Add("Action=CreateTags&ResourceId.1=a&Tag.1.Key.1=x")
	s := newService()
	principal := iam.Principal{Policies: []string{iam.AdministratorAccess}}
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		values.Set("Version", Version)
		err = s.API().Serve(httptest.NewRecorder(),
			&operation.Call{Params: values, Principal: principal,
				Request: httptest.NewRequest("POST", "/", nil).WithContext(context.Background())})
		if err != nil && code(err) == "" {
			t.Errorf("%q: %v", query, err)
		}
	})
}
