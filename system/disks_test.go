package system

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	clientv3 "go.etcd.io/etcd/client/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/api"
	"tripod/client"
	"tripod/internal/diskfault"
	"tripod/internal/sdkclient"
)

// TestADiskThatFailsTakesItsMemberAndNoWrite: the disk under the etcd leader is slow, and it goes on leading; it fails, is read-only and is
// full, and the member ends each time, while the cluster goes on with the others. Nothing that was acknowledged is lost, and after each
// healing all three members hold the same.
func TestADiskThatFailsTakesItsMemberAndNoWrite(t *testing.T) {
	t.Parallel()
	if err := diskfault.Supported(); err != nil {
		t.Skip(err)
	}
	r := startRegion(t)
	entries := keepWriting(t, r, "disks")
	entries.goesOn(t, 10, 30*time.Second)
	leader := letter(r.cluster(t).EtcdLeader)
	r.breakDisk(t, leader, api.Slower(300*time.Millisecond))
	entries.goesOn(t, 5, 30*time.Second)
	if got := letter(r.cluster(t).EtcdLeader); got != leader {
		t.Errorf("with a slow disk zone %s lost the lead of etcd to %s", leader, got)
	}
	r.healDisk(t, leader)
	r.await(t, 60*time.Second, "region", client.ForHealthy)
	for fault, says := range map[string]string{api.DiskFailing: "input/output error", api.DiskReadOnly: "read-only file system",
		api.DiskFull: "no space left on device"} {
		leader := letter(r.cluster(t).EtcdLeader)
		r.breakDisk(t, leader, fault)
		begun := time.Now()
		if fault == api.DiskFull {
			r.fill(t, leader)
		}
		eventually(t, 60*time.Second, "the member on the disk that is "+fault+" ends", func() (bool, string) {
			is := r.instance(t, "etcd/"+leader)
			return is.State == api.StateFailed && strings.Contains(is.Reason, says), is.State + ": " + is.Reason
		})
		t.Logf("disk/%s is %s: its member had ended after %.1f s", leader, fault, time.Since(begun).Seconds())
		entries.goesOn(t, 20, 60*time.Second)
		if got := r.status(t); got.Phase != api.PhaseDegraded || len(got.Faults) != 1 || got.Faults[0].Target != "disk/"+leader ||
			letter(got.Clusters[0].EtcdLeader) == leader {
			t.Errorf("with a disk that is %s the region is %s with faults %v, and etcd is led by %s", fault, got.Phase, got.Faults,
				got.Clusters[0].EtcdLeader)
		}
		r.healDisk(t, leader)
		r.await(t, 60*time.Second, "region", client.ForHealthy)
		entries.goesOn(t, 10, 20*time.Second)
	}
	entries.verify(t)
	r.wantSameEtcd(t)
}

// TestADiskThatFailsTakesItsVoterAndNoAWSCall: the disk of the zone that leads the regional state fails, and is read-only. Another zone
// leads at once, and calls go on through the endpoint: balancers leave the zone out, and its own front refuses what may be old.
// Healed, it has all.
func TestADiskThatFailsTakesItsVoterAndNoAWSCall(t *testing.T) {
	t.Parallel()
	if err := diskfault.Supported(); err != nil {
		t.Skip(err)
	}
	r := startRegion(t)
	services := r.awsClients(t, awsHTTP)
	for fault, says := range map[string]string{api.DiskFailing: "input/output error", api.DiskReadOnly: "read-only file system"} {
		leader := letter(r.status(t).State.Leader)
		r.breakDisk(t, leader, fault)
		eventually(t, 30*time.Second, "another zone leads, and this one says why not", func() (bool, string) {
			is := r.status(t)
			zone, err := is.FindZone(leader)
			must(t, "find the zone", err)
			return is.State.Leader != "" && letter(is.State.Leader) != leader && is.State.Voters == 2 && is.State.Quorum &&
				zone.State == api.StateUnready && strings.Contains(zone.Reason, says), fmt.Sprint(is.State, zone.State, zone.Reason)
		})
		eventually(t, 30*time.Second, "the balancers leave the zone out", func() (bool, string) {
			aws, cluster := r.targetReason(t, "aws", leader), r.targetReason(t, "demo", leader)
			return strings.Contains(aws, "regional state is down") && strings.Contains(cluster, "regional state is down"), aws + ", " + cluster
		})
		user := "written-while-" + fault
		for range 9 { // no client is sent there
			_, err := services.sts.GetCallerIdentity(within(t, 5*time.Second), &sts.GetCallerIdentityInput{})
			must(t, "ask with a disk that is "+fault, err)
		}
		_, err := services.iam.CreateUser(within(t, 10*time.Second), &iam.CreateUserInput{UserName: &user})
		must(t, "write with a disk that is "+fault, err)
		own := iam.New(services.iam.Options(), func(o *iam.Options) {
			o.HTTPClient, o.BaseEndpoint = sdkclient.Over(r.frontSocket(t, leader), time.Minute), aws.String("http://localhost")
			o.Retryer = aws.NopRetryer{}
		})
		_, err = own.GetUser(within(t, 10*time.Second), &iam.GetUserInput{UserName: &user})
		if err == nil || !strings.Contains(err.Error(), "The disk of this zone's part of the regional state fails") {
			t.Errorf("with a disk that is %s the zone's own front answers %v", fault, err)
		}
		r.healDisk(t, leader)
		r.await(t, 60*time.Second, "region", client.ForHealthy)
		_, err = own.GetUser(within(t, 10*time.Second), &iam.GetUserInput{UserName: &user})
		must(t, "read there what was written meanwhile", err)
	}
	events, _, _ := tripod(t, r.dir, "events")
	for _, want := range []string{"is down: its disk: input/output error", "is down: its disk: read-only file system", "is back"} {
		if !strings.Contains(events, want) {
			t.Errorf("no event says %q:\n%s", want, events)
		}
	}
}

// TestFaultsOfDisksOutliveTheRegion: they are in force again once the region is up, end by themselves, and are one cluster's alone where
// that is asked for.
func TestFaultsOfDisksOutliveTheRegion(t *testing.T) {
	t.Parallel()
	if err := diskfault.Supported(); err != nil {
		t.Skip(err)
	}
	r := startRegion(t)
	r.fault(t, "disk/c", "failing", "--cluster", "demo", "--for", "1h")
	must(t, "slow a disk down", command(t, r, "slow", "disk/b", "--latency", "20ms"))
	failed := func() (bool, string) {
		is := r.instance(t, "etcd/c")
		return is.State == api.StateFailed && strings.Contains(is.Reason, "input/output error"), is.State + ": " + is.Reason
	}
	eventually(t, 60*time.Second, "the member ends", failed)
	must(t, "down", r.Close(within(t, time.Minute)))
	r = bringUp(t, r.dir)
	if faults := r.status(t).Faults; len(faults) != 2 || faults[0].Target != "disk/c" || faults[0].Until == nil ||
		faults[0].Cluster != "demo" || faults[1].Target != "disk/b" {
		t.Errorf("after a restart these faults are in force: %v", faults)
	}
	eventually(t, 60*time.Second, "the member ends after the restart", failed)
	r.fault(t, "disk/c", "failing", "--cluster", "demo", "--for", "1s")
	r.healDisk(t, "b") // and nobody heals c
	r.await(t, 60*time.Second, "region", client.ForHealthy)
	r.wantSameEtcd(t)
}

func (r *testRegion) breakDisk(t *testing.T, zone, fault string) {
	t.Helper()
	_, err := r.Fault(within(t, 30*time.Second), api.FaultOrder{Target: api.Target{Kind: api.KindDisk, Name: zone}, Fault: fault})
	must(t, "have disk/"+zone+" be "+fault, err)
}

func (r *testRegion) healDisk(t *testing.T, zone string) {
	t.Helper()
	_, err := r.TakeBack(within(t, 30*time.Second), api.FaultOrder{Target: api.Target{Kind: api.KindDisk, Name: zone}})
	must(t, "heal disk/"+zone, err)
}

// fill writes until the database of a zone's member has to grow, and has it end for that.
func (r *testRegion) fill(t *testing.T, zone string) {
	t.Helper()
	kube, large := r.kube(t), strings.Repeat("x", 900<<10)
	for n := 0; ; n++ {
		if r.instance(t, "etcd/"+zone).State == api.StateFailed {
			return
		}
		if n == 100 {
			t.Fatal("90 MB were written, and the database did not grow")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := kube.CoreV1().ConfigMaps("disks").Create(ctx, configMap(fmt.Sprintf("large-%d", n), large), metav1.CreateOptions{})
		cancel()
		if err != nil {
			t.Logf("write %d of the filling: %v", n, err) // its member may have been the one that ended
		}
	}
}

// wantSameEtcd has all members hold the same: by hash, at one revision.
func (r *testRegion) wantSameEtcd(t *testing.T) {
	t.Helper()
	ctx := within(t, 60*time.Second)
	var stores []*clientv3.Client
	for i, zone := range []string{"us-east-1a", "us-east-1b", "us-east-1c"} {
		stores = append(stores, openEtcd(t, filepath.Join(r.clusterDir(t, zone), "pki"), etcdAddress(t, r, i)))
	}
	now, err := stores[0].Get(ctx, "revision") // linearizable: as new as all that was acknowledged
	must(t, "read the revision", err)
	eventually(t, 60*time.Second, "all members hold the same", func() (bool, string) {
		var hashes []string
		for _, store := range stores {
			hash, err := store.HashKV(ctx, store.Endpoints()[0], now.Header.Revision)
			if err != nil {
				return false, err.Error()
			}
			hashes = append(hashes, fmt.Sprintf("%08x of %d since %d", hash.Hash, now.Header.Revision, hash.CompactRevision))
		}
		return hashes[0] == hashes[1] && hashes[1] == hashes[2], fmt.Sprint(hashes)
	})
}
