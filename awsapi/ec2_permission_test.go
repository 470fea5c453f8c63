package awsapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"tripod/awsapi/ec2"
	"tripod/iam"
)

const ec2Version = "&Version=2016-11-15"

// statementOn is a policy of one statement about EC2's actions on a resource, on a condition in JSON.
func statementOn(effect, action, resource, condition string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Action":"ec2:` + action + `","Resource":"` +
		resource + `","Condition":` + condition + `}}`
}

func TestEC2IsAllowedByResourcesAndTags(t *testing.T) {
	w := newWorld(t)
	w.clock = created
	const all = "arn:aws:ec2:*:*:"
	vpc := ec2.VPC{AccountID: iam.DefaultAccountID, Region: "us-east-1",
		Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	tagged := "&TagSpecification.1.ResourceType=subnet" +
		"&TagSpecification.1.Tag.1.Key=team&TagSpecification.1.Tag.1.Value=red"
	_, mainTables := w.denied(t, "ec2", "POST", "/",
		"Action=DescribeRouteTables&Filter.1.Name=association.main&Filter.1.Value.1=true"+ec2Version,
		statementOn("Allow", "*", "*", `{}`))
	mainTable, mainAssociation := regexp.MustCompile(`rtb-\w+`).FindString(mainTables),
		regexp.MustCompile(`rtbassoc-\w+`).FindString(mainTables)
	_, publicTables := w.denied(t, "ec2", "POST", "/",
		"Action=DescribeRouteTables&Filter.1.Name=route.gateway-id&Filter.1.Value.1=igw-*"+ec2Version,
		statementOn("Allow", "*", "*", `{}`))
	publicTable := regexp.MustCompile(`rtb-\w+`).FindString(publicTables)
	subnet := "Action=CreateSubnet&VpcId=" + vpc.ID() + "&CidrBlock=10.0.250.0/24"
	for _, c := range []struct {
		name, params string
		policies     []string
		want         bool
	}{
		{"all", subnet, []string{statementOn("Allow", "*", "*", `{}`)}, true},
		{"the VPC alone", subnet, []string{statementOn("Allow", "CreateSubnet", all+"vpc/*", `{}`)}, false},
		{"VPC and subnet", subnet, []string{statementOn("Allow", "CreateSubnet", all+"vpc/"+vpc.ID(), `{}`),
			statementOn("Allow", "CreateSubnet", all+"subnet/*", `{}`)}, true},
		{"another VPC", subnet, []string{statementOn("Allow", "CreateSubnet", all+"vpc/vpc-0", `{}`),
			statementOn("Allow", "CreateSubnet", all+"subnet/*", `{}`)}, false},
		{"this VPC denied", subnet, []string{statementOn("Allow", "*", "*", `{}`),
			statementOn("Deny", "*", all+"vpc/"+vpc.ID(), `{}`)}, false},
		{"tags without CreateTags", subnet + tagged, []string{statementOn("Allow", "CreateSubnet", "*", `{}`)}, false},
		{"tags on creation", subnet + tagged, []string{statementOn("Allow", "CreateSubnet", "*", `{}`),
			statementOn("Allow", "CreateTags", all+"subnet/*", `{"StringEquals":{"ec2:CreateAction":"CreateSubnet"}}`)},
			true},
		{"the new subnet's tags", subnet + tagged,
			[]string{statementOn("Allow", "CreateSubnet", all+"subnet/*",
				`{"StringEquals":{"aws:RequestTag/team":"red"}}`),
				statementOn("Allow", "CreateSubnet", all+"vpc/*", `{"Null":{"aws:RequestTag/team":"true"}}`),
				statementOn("Allow", "CreateTags", "*", `{}`)}, true},
		{"tags later", "Action=CreateTags&ResourceId.1=" + vpc.ID() + "&Tag.1.Key=team&Tag.1.Value=red",
			[]string{statementOn("Allow", "CreateTags", "*", `{"StringEquals":{"ec2:CreateAction":"CreateSubnet"}}`)},
			false},
		{"by resource tag", "Action=ModifySubnetAttribute&SubnetId=" + vpc.SubnetIDs()[0] +
			"&MapPublicIpOnLaunch.Value=true", []string{statementOn("Allow", "*", "*",
			`{"StringEquals":{"ec2:ResourceTag/kubernetes.io/role/internal-elb":"1",`+
				`"aws:ResourceTag/Name":"default-private-us-east-1a"}}`)}, true},
		{"by another tag", "Action=ModifySubnetAttribute&SubnetId=" + vpc.SubnetIDs()[0] +
			"&MapPublicIpOnLaunch.Value=true", []string{statementOn("Allow", "*", "*",
			`{"StringEquals":{"ec2:ResourceTag/kubernetes.io/role/elb":"1"}}`)}, false},
		{"reads have no resource", "Action=DescribeVpcs&VpcId.1=" + vpc.ID(),
			[]string{statementOn("Allow", "DescribeVpcs", all+"vpc/*", `{}`)}, false},
		{"a main association, moved from a table",
			"Action=ReplaceRouteTableAssociation&AssociationId=" + mainAssociation + "&RouteTableId=" + publicTable,
			[]string{statementOn("Allow", "*", "*", `{}`),
				statementOn("Deny", "*", all+"route-table/"+mainTable, `{}`)}, false},
		{"moved to another", "Action=ReplaceRouteTableAssociation&AssociationId=" + mainAssociation + "&RouteTableId=" +
			publicTable,
			[]string{statementOn("Allow", "*", "*", `{}`),
				statementOn("Deny", "*", all+"route-table/"+publicTable, `{}`)}, false},
		{"moved with permission on both", "Action=ReplaceRouteTableAssociation&AssociationId=" + mainAssociation +
			"&RouteTableId=" + publicTable,
			[]string{statementOn("Allow", "*", all+"route-table/*", `{}`)}, true},
		{"an association ended", "Action=DisassociateRouteTable&AssociationId=" + mainAssociation,
			[]string{statementOn("Allow", "*", "*", `{}`),
				statementOn("Deny", "*", all+"route-table/"+mainTable, `{}`)}, false},
		{"in this region", "Action=DescribeVpcs", []string{statementOn("Allow", "Describe*", "*",
			`{"StringEquals":{"ec2:Region":"us-east-1"}}`)}, true},
	} {
		if denied, text := w.denied(t, "ec2", "POST", "/", c.params+"&DryRun=true"+ec2Version,
			c.policies...); denied == c.want || !denied && !strings.Contains(text, "DryRunOperation") {
			t.Errorf("%s: got %s", c.name, text)
		}
	}
}

func TestEncodedMessageTellsWhyEC2Refused(t *testing.T) {
	w := newWorld(t)
	w.clock = created
	_, text := w.denied(t, "ec2", "POST", "/", "Action=CreateVpc&CidrBlock=10.1.0.0/16"+ec2Version)
	found := regexp.MustCompile(`<Message>(You are not authorized to perform this operation\. .*) ` +
		`Encoded authorization failure message: ([\w-]+)</Message>`).FindStringSubmatch(text)
	if found == nil || !strings.Contains(found[1],
		"user/powerless is not authorized to perform: ec2:CreateVpc on resource: "+
			"arn:aws:ec2:us-east-1:111122223333:vpc/* because no identity-based policy "+
			"allows the ec2:CreateVpc action.") {
		t.Fatalf("got %s", text)
	}
	if _, text := w.denied(t, "ec2", "POST", "/", "Action=DescribeVpcs"+ec2Version); strings.Contains(text,
		"Encoded") || !strings.Contains(text, "perform: ec2:DescribeVpcs because no identity-based") {
		t.Errorf("a read: got %s", text)
	}
	w.clock = time.Time{} // the SDK signs by the real one
	out, err := w.sts(w.admin).DecodeAuthorizationMessage(context.Background(),
		&sts.DecodeAuthorizationMessageInput{EncodedMessage: &found[2]})
	if err != nil {
		t.Fatal(err)
	}
	var decoded struct {
		Allowed, ExplicitDeny bool
		Context               struct {
			Principal        struct{ ARN, Name string }
			Action, Resource string
			Conditions       struct {
				Items []struct {
					Key    string
					Values struct{ Items []struct{ Value string } }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.DecodedMessage)), &decoded); err != nil {
		t.Fatal(err)
	}
	if c := decoded.Context; decoded.Allowed || c.Action != "ec2:CreateVpc" || c.Principal.Name != "powerless" ||
		!strings.HasSuffix(c.Resource, ":vpc/*") || len(c.Conditions.Items) == 0 {
		t.Errorf("got %s", aws.ToString(out.DecodedMessage))
	}
	changed := found[2][:len(found[2])-4] + "AAAA"
	_, err = w.sts(w.admin).DecodeAuthorizationMessage(context.Background(),
		&sts.DecodeAuthorizationMessageInput{EncodedMessage: &changed})
	wantCode(t, err, "InvalidAuthorizationMessageException", http.StatusBadRequest)
	_, err = w.sts(w.powerless).DecodeAuthorizationMessage(context.Background(),
		&sts.DecodeAuthorizationMessageInput{EncodedMessage: &found[2]})
	wantCode(t, err, "AccessDenied", http.StatusForbidden)
}
