package fis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// acls are the network ACLs that FIS has made, and that of each subnet of zone us-east-1a, with its rules as "egress deny 10.0.0.0/20".
func (w *world) acls() (made []ec2types.NetworkAcl, of map[string]ec2types.NetworkAcl, subnets []ec2types.Subnet) {
	w.t.Helper()
	calls := ec2.NewFromConfig(w.Config("admin"))
	found, err := calls.DescribeSubnets(w.t.Context(), &ec2.DescribeSubnetsInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	acls, err := calls.DescribeNetworkAcls(w.t.Context(), &ec2.DescribeNetworkAclsInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	of = map[string]ec2types.NetworkAcl{}
	for _, acl := range acls.NetworkAcls {
		if slices.ContainsFunc(acl.Tags, func(t ec2types.Tag) bool { return *t.Key == "managedByFIS" && *t.Value == "true" }) {
			made = append(made, acl)
		}
		for _, a := range acl.Associations {
			of[*a.SubnetId] = acl
		}
	}
	return made, of, found.Subnets
}

func rulesOf(acl ec2types.NetworkAcl) (rules []string) {
	for _, e := range acl.Entries {
		direction := "in"
		if aws.ToBool(e.Egress) {
			direction = "out"
		}
		of := aws.ToString(e.CidrBlock) + aws.ToString(e.Ipv6CidrBlock)
		rules = append(rules, fmt.Sprint(*e.RuleNumber, " ", direction, " ", e.RuleAction, " ", of))
	}
	return rules
}

func disrupting(scope string) (in types.CreateExperimentTemplateActionInput) {
	return types.CreateExperimentTemplateActionInput{ActionId: aws.String("aws:network:disrupt-connectivity"),
		Targets: map[string]string{"Subnets": "zone"}, Parameters: map[string]string{"duration": "PT2M", "scope": scope}}
}

// TestSubnetsAreCutOffByNetworkACLs of FIS's own for a time, and have theirs again.
func TestSubnetsAreCutOffByNetworkACLs(t *testing.T) {
	for scope, want := range map[string]func(own string, others []string) []string{
		"all": func(string, []string) (rules []string) {
			for _, direction := range []string{"out", "in"} {
				rules = append(rules, "1 "+direction+" deny 0.0.0.0/0", "2 "+direction+" deny ::/0", "32767 "+direction+" deny 0.0.0.0/0")
			}
			return rules
		},
		"vpc": func(vpc string, _ []string) (rules []string) {
			for _, direction := range []string{"out", "in"} {
				rules = append(rules, "1 "+direction+" allow "+vpc, "32767 "+direction+" deny 0.0.0.0/0")
			}
			return rules
		},
		"availability-zone": func(_ string, others []string) (rules []string) {
			for _, direction := range []string{"out", "in"} {
				for i, other := range others {
					rules = append(rules, fmt.Sprint(i+1, " ", direction, " deny ", other))
				}
				rules = append(rules, fmt.Sprint(len(others)+1, " ", direction, " allow 0.0.0.0/0"), "32767 "+direction+" deny 0.0.0.0/0")
			}
			return rules
		},
	} {
		t.Run(scope, func(t *testing.T) {
			w := newWorld(t)
			_, before, subnets := w.acls()
			vpcs, err := ec2.NewFromConfig(w.Config("admin")).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
			if err != nil {
				t.Fatal(err)
			}
			in := throttling()
			in.Targets = map[string]types.CreateExperimentTemplateTargetInput{"zone": {ResourceType: aws.String("aws:ec2:subnet"),
				SelectionMode: aws.String("ALL"), Parameters: map[string]string{"availabilityZoneIdentifier": "us-east-1a"}}}
			in.Actions = map[string]types.CreateExperimentTemplateActionInput{"cut": disrupting(scope)}
			id := w.begin(in, "")
			w.keep()
			w.keep()
			w.is(id, types.ExperimentStatusRunning, types.ExperimentActionStatusRunning)
			made, of, _ := w.acls()
			var others []string
			cut := 0
			for _, v := range subnets {
				if *v.AvailabilityZone != "us-east-1a" {
					others = append(others, *v.CidrBlock)
				}
			}
			for _, v := range subnets {
				acl := of[*v.SubnetId]
				if *v.AvailabilityZone != "us-east-1a" {
					if *acl.NetworkAclId != *before[*v.SubnetId].NetworkAclId {
						t.Errorf("a subnet of %s has another network ACL", *v.AvailabilityZone)
					}
					continue
				}
				cut++
				if got, want := rulesOf(acl), want(*vpcs.Vpcs[0].CidrBlock, others); !slices.Equal(got, want) {
					t.Errorf("got the rules\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
			if cut == 0 || len(made) != cut {
				t.Errorf("%d subnets are cut off by %d network ACLs", cut, len(made))
			}
			again := *in
			again.ClientToken = aws.String("again")
			second := w.begin(&again, "")
			w.keep()
			if reason := w.is(second, types.ExperimentStatusFailed, failed).State.Reason; !strings.Contains(*reason, "is disrupted already") {
				t.Errorf("a second experiment: %s", *reason)
			}
			w.at = w.at.Add(2 * time.Minute)
			w.keep()
			w.is(id, types.ExperimentStatusCompleted, completed)
			made, of, _ = w.acls()
			for subnet, acl := range before {
				if *of[subnet].NetworkAclId != *acl.NetworkAclId {
					t.Errorf("subnet %s has not its network ACL again", subnet)
				}
			}
			if len(made) > 0 {
				t.Errorf("%d network ACLs of FIS are left", len(made))
			}
		})
	}
}

// TestScopesThatAreNotHereAreRefusedByName.
func TestScopesThatAreNotHereAreRefusedByName(t *testing.T) {
	w := newWorld(t)
	for scope, want := range map[string]string{"s3": "Tripod does not have the scope s3", "everything": "The scope everything is not valid"} {
		in := throttling()
		in.Targets = map[string]types.CreateExperimentTemplateTargetInput{"zone": {ResourceType: aws.String("aws:ec2:subnet"),
			SelectionMode: aws.String("ALL"), Parameters: map[string]string{"availabilityZoneIdentifier": "us-east-1a"}}}
		in.Actions = map[string]types.CreateExperimentTemplateActionInput{"cut": disrupting(scope)}
		if _, err := w.CreateExperimentTemplate(t.Context(), in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", scope, err, want)
		}
	}
}

// TestDisruptionNeedsWhatItsManagedPolicyAllows, on network ACLs that FIS has tagged.
func TestDisruptionNeedsWhatItsManagedPolicyAllows(t *testing.T) {
	w := newWorld(t, "ec2:Describe*", "ec2:GetManagedPrefixListEntries", "ec2:CreateNetworkAcl", "ec2:CreateTags", "ec2:CreateNetworkAclEntry",
		"ec2:ReplaceNetworkAclAssociation")
	in := throttling()
	in.Targets = map[string]types.CreateExperimentTemplateTargetInput{"zone": {ResourceType: aws.String("aws:ec2:subnet"),
		SelectionMode: aws.String("ALL"), Parameters: map[string]string{"availabilityZoneIdentifier": "us-east-1a"}}}
	in.Actions = map[string]types.CreateExperimentTemplateActionInput{"cut": disrupting("all")}
	id := w.begin(in, "")
	w.keep()
	if got := w.is(id, types.ExperimentStatusFailed, failed); !strings.Contains(*got.State.Reason, "ec2:DeleteNetworkAcl") {
		t.Errorf("got %s", *got.State.Reason)
	}
}

// TestAWSsPolicyIsEnoughToCutASubnetOff: the one that FIS's guide attaches to the role of such an experiment.
func TestAWSsPolicyIsEnoughToCutASubnetOff(t *testing.T) {
	w := newWorld(t)
	w.Write(func(tx *state.Txn) {
		document, found := iam.PolicyDocument(tx, "arn:aws:iam::aws:policy/service-role/AWSFaultInjectionSimulatorNetworkAccess")
		role, _ := region.Roles.Get(tx, "driver")
		if role.Inline = map[string]string{"own": document}; !found {
			t.Error("AWS's policy is not there")
		}
		region.Roles.Put(tx, "driver", role)
	})
	in := throttling()
	in.StopConditions = []types.CreateExperimentTemplateStopConditionInput{{Source: aws.String("none")}}
	in.Targets = map[string]types.CreateExperimentTemplateTargetInput{"zone": {ResourceType: aws.String("aws:ec2:subnet"),
		SelectionMode: aws.String("ALL"), Parameters: map[string]string{"availabilityZoneIdentifier": "us-east-1a"}}}
	in.Actions = map[string]types.CreateExperimentTemplateActionInput{"cut": disrupting("all")}
	id := w.begin(in, "")
	w.keep()
	w.keep()
	w.is(id, types.ExperimentStatusRunning, types.ExperimentActionStatusRunning)
}
