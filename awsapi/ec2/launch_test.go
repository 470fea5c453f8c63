package ec2

import (
	"net/netip"
	"testing"
	"time"

	"tripod/nodes/image"
	"tripod/nodes/machine"
	"tripod/region"
	"tripod/state"
)

// someImage is one of Amazon's for x86_64.
var someImage = func() string {
	found, _ := image.Of("AL2023_x86_64_STANDARD", "1.36", "")
	return found.ID
}()

// launched is what Launch makes of a request, in a transaction of its own.
func launched(t *testing.T, s *Service, want LaunchRequest) (made []region.Instance, err error) {
	t.Helper()
	err = s.State.Update(t.Context(), func(tx *state.Txn) (err error) {
		made, err = s.Launch(tx, want, time.Now())
		return err
	})
	return made, err
}

func TestLaunchedInstancesHaveAPlaceOfTheirOwn(t *testing.T) {
	s := newService()
	home := s.VPC.PublicSubnetIDs()[1]
	made, err := launched(t, s, LaunchRequest{ImageID: someImage, Type: "m5.large", SubnetID: home, Count: 50,
		Tags: map[string]string{"a": "b", "aws:autoscaling:groupName": "g"}, Group: "g", Requester: "autoscaling.amazonaws.com"})
	if err != nil {
		t.Fatal(err)
	}
	block := netip.MustParsePrefix(publicCIDR(1))
	seen := map[string]bool{}
	for i, v := range made {
		a := netip.MustParseAddr(v.Address)
		switch {
		case !block.Contains(a) || reserved(block, a):
			t.Errorf("%s is at %s, which is none of %s that AWS gives", v.ID, a, block)
		case seen[v.Address] || seen[v.PublicIP] || v.PublicIP == "":
			t.Errorf("%s has the addresses %s and %q, of which another has one", v.ID, v.Address, v.PublicIP)
		case v.DNSName != machine.Name("us-east-1", a) || v.Zone != "us-east-1b" || v.LaunchIndex != i || v.State != "pending":
			t.Errorf("got %+v", v)
		}
		seen[v.Address], seen[v.PublicIP] = true, true
	}
	s.State.View(func(tx *state.Txn) error {
		if got := s.TagsOf(tx, made[49].ID); got["a"] != "b" || got["aws:autoscaling:groupName"] != "g" {
			t.Errorf("tags: got %v", got)
		}
		return nil
	})
}
