package controlplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tripod/api"
	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/etcdcluster"
	"tripod/internal/pki"
	"tripod/internal/sleep"
)

// peersPatience is how long the other zones' etcd members are waited for that have to agree to a change.
const peersPatience = 15 * time.Second

func (c *Part) etcdDir() string { return filepath.Join(c.dir, "etcd") }

// BreakEtcd ends the zone's etcd member, damages its data directory, and lets it try to start again.
func (c *Part) BreakEtcd(damage func(dir string) error) error {
	return c.etcd.Without(func() error { return damage(c.etcdDir()) })
}

// EtcdIsWell says whether the zone's etcd member serves.
func (c *Part) EtcdIsWell() bool { return c.etcd.Ready() }

// EtcdIsDamaged says whether the zone's etcd member cannot start again with the data that it has.
func (c *Part) EtcdIsDamaged() bool { return !c.EtcdIsWell() && etcdcluster.IsDamaged(c.etcdDir()) }

// RepairEtcd replaces the zone's etcd member by a new one that copies what the others have, and returns when it votes. It may be
// called again when it was broken off.
func (c *Part) RepairEtcd(ctx context.Context) error {
	c.repairing.Lock()
	defer c.repairing.Unlock()
	target, peerURL := c.etcd.Target(), c.etcdPeerURL(c.host.Plan.Zone)
	if !c.etcd.Wanted() {
		return fmt.Errorf("%s is stopped, and a new member has to run: start it first with 'tripod start %s'", target, target)
	}
	peers, err := c.etcdMembers(c.isOtherZone)
	if err != nil {
		return err
	}
	for patience := c.host.Now().Add(peersPatience); ; {
		err := peers.CheckServe(ctx)
		if err == nil {
			break
		}
		if c.host.Now().After(patience) || sleep.For(ctx, 200*time.Millisecond) != nil {
			return fmt.Errorf("%s cannot be replaced now, as both other members have to agree: %w", target, err)
		}
	}
	said := func(what string) { c.etcdRepair(target + ": " + what) }
	err = c.etcd.Without(func() error {
		return peers.Replace(ctx, peerURL, said, func() error { return os.RemoveAll(c.etcdDir()) })
	})
	if err == nil {
		err = peers.Promote(ctx, peerURL, said, func() error {
			if !c.etcd.Wanted() {
				return errors.New("it was stopped meanwhile")
			}
			return nil
		})
	}
	if err == nil {
		select {
		case <-c.etcd.Readiness():
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		return fmt.Errorf("replace %s: %w; 'tripod heal %s' tries it again", target, err, target)
	}
	return nil
}

func (c *Part) etcdRepair(what string) {
	c.host.Event(api.Event{Cluster: c.cluster.Name, Target: c.etcd.Target(), Type: api.EtcdRepair, Message: what})
}

// RaiseNoSpace raises the alarm that the database of the zone's etcd member is full. It returns the id of the member.
func (c *Part) RaiseNoSpace(ctx context.Context) (member uint64, err error) {
	peers, err := c.etcdMembers(allZones)
	if err == nil {
		member, err = peers.RaiseNoSpace(ctx, etcdcluster.MemberName(plan.Letter(c.host.Plan.Zone)))
	}
	return member, err
}

// Disarm takes a member's alarm of RaiseNoSpace back.
func (c *Part) Disarm(ctx context.Context, member uint64) error {
	peers, err := c.etcdMembers(allZones)
	if err != nil {
		return err
	}
	return peers.Disarm(ctx, member)
}

// HasNoSpace says whether a member's alarm of RaiseNoSpace is raised.
func (c *Part) HasNoSpace(ctx context.Context, member uint64) (bool, error) {
	peers, err := c.etcdMembers(allZones)
	if err != nil {
		return false, err
	}
	return peers.HasNoSpace(ctx, member)
}

// Defragment has the zone's etcd member write its database anew.
func (c *Part) Defragment(ctx context.Context) error {
	peers, err := c.etcdMembers(c.isOwnZone)
	if err != nil {
		return err
	}
	return peers.Defragment(ctx)
}

// Compact has the cluster's etcd forget all but the newest revision, which it returns.
func (c *Part) Compact(ctx context.Context) (revision int64, err error) {
	peers, err := c.etcdMembers(allZones)
	if err == nil {
		revision, err = peers.Compact(ctx)
	}
	return revision, err
}

func allZones(string) bool { return true }

func (c *Part) isOwnZone(zone string) bool { return zone == c.host.Plan.Zone }

func (c *Part) isOtherZone(zone string) bool { return zone != c.host.Plan.Zone }

// etcdMembers are the members of some zones, as the zone's API server reaches them.
func (c *Part) etcdMembers(of func(zone string) bool) (peers etcdcluster.Peers, err error) {
	pair, err := pki.ReadPair(filepath.Join(c.dir, "pki"), launch.EtcdClient)
	if err != nil {
		return peers, err
	}
	cert, err := pair.TLS()
	if err != nil {
		return peers, err
	}
	peers = etcdcluster.Peers{ClientURLs: map[string]string{}, Dial: c.host.Dial,
		TLS: &tls.Config{RootCAs: poolOf([]byte(c.secrets.EtcdCACert)), Certificates: []tls.Certificate{cert}}}
	for i, one := range c.host.Plan.Peers {
		if of(one.Zone) {
			peers.ClientURLs[c.etcdTargetOf(one.Zone)] = c.etcdServers()[i]
		}
	}
	return peers, nil
}

func (c *Part) etcdTargetOf(zone string) string { return api.KindEtcd + "/" + plan.Letter(zone) }

// etcdPeerURL is where the other members reach the one of a zone.
func (c *Part) etcdPeerURL(zone string) string {
	return fmt.Sprintf("https://%s:2380", plan.EtcdName(zone, c.cluster.ID))
}
