package eks_test

import (
	"crypto/rand"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	service "tripod/awsapi/eks"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

func (w *world) admitFirstNodes(t *testing.T) (made region.Role) {
	t.Helper()
	if err := w.state.Update(ctx, func(tx *state.Txn) error {
		c, _ := region.Clusters.Get(tx, clusterID)
		if err := service.AdmitFirstNodes(tx, vpc.Region, vpc.AccountID, &c, rand.Reader, created); err != nil {
			return err
		}
		region.Clusters.Put(tx, clusterID, c)
		profile, found := region.InstanceProfiles.Get(tx, c.NodeRole)
		made, _ = region.Roles.Get(tx, c.NodeRole)
		if !found || profile.Role != made.Name || c.NodeRole != "demo-node" {
			t.Errorf("got the cluster's node role %q, the role %+v, the instance profile %+v", c.NodeRole, made, profile)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return made
}

func TestFirstNodesEnterByTheirRoleWhereThereAreAccessEntries(t *testing.T) {
	for mode, entered := range map[string]bool{"CONFIG_MAP": false, "API_AND_CONFIG_MAP": true, "API": true} {
		w := newWorld(t, mode)
		role := w.admitFirstNodes(t)
		if role.ARN != "arn:aws:iam::"+iam.DefaultAccountID+":role/demo-node" || len(role.Policies) != 3 {
			t.Errorf("%s: got the role %+v", mode, role)
		}
		if !entered {
			continue
		}
		entry := must(w.DescribeAccessEntry(ctx,
			&eks.DescribeAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: &role.ARN}))(t).AccessEntry
		if *entry.Type != "EC2_LINUX" || *entry.Username != "system:node:{{EC2PrivateDNSName}}" ||
			!slices.Equal(entry.KubernetesGroups, []string{"system:nodes"}) {
			t.Errorf("%s: got the entry %+v", mode, entry)
		}
	}
}

func TestFirstNodesTakeARoleThatIsThereAsItIs(t *testing.T) {
	w := newWorld(t, "API")
	own := region.Role{Name: "demo-node", ID: "AROAOWN",
		ARN: "arn:aws:iam::" + iam.DefaultAccountID + ":role/team/demo-node", Path: "/team/", Policies: []string{"own"}}
	if err := w.state.Update(ctx, func(tx *state.Txn) error {
		region.Roles.Put(tx, own.Name, own)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := w.admitFirstNodes(t); got.ID != own.ID || got.ARN != own.ARN || !slices.Equal(got.Policies, own.Policies) {
		t.Errorf("got %+v, want %+v", got, own)
	}
	must(w.DescribeAccessEntry(ctx,
		&eks.DescribeAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: &own.ARN}))(t)
}
