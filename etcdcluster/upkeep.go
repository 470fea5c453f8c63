package etcdcluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// RaiseNoSpace raises the alarm for the member with that name that its database has reached its quota, as it does itself then:
// until it is disarmed the whole cluster takes no writes that need space. It returns the id of the member.
func (p Peers) RaiseNoSpace(ctx context.Context, name string) (member uint64, err error) {
	err = p.with(ctx, func(ctx context.Context, client *clientv3.Client) error {
		list, err := client.MemberList(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list.Members, func(one *etcdserverpb.Member) bool { return one.Name == name })
		if i < 0 {
			return fmt.Errorf("%s is no member of the cluster now", name)
		}
		member = list.Members[i].ID
		// The client's own type only lists and disarms alarms.
		_, err = etcdserverpb.NewMaintenanceClient(client.ActiveConnection()).Alarm(ctx, &etcdserverpb.AlarmRequest{
			Action: etcdserverpb.AlarmRequest_ACTIVATE, MemberID: member, Alarm: etcdserverpb.AlarmType_NOSPACE})
		return err
	})
	return member, err
}

// Disarm takes a member's alarm of RaiseNoSpace back. It is no error that there is none.
func (p Peers) Disarm(ctx context.Context, member uint64) error {
	return p.with(ctx, func(ctx context.Context, client *clientv3.Client) error {
		_, err := client.AlarmDisarm(ctx, &clientv3.AlarmMember{MemberID: member, Alarm: etcdserverpb.AlarmType_NOSPACE})
		return err
	})
}

// HasNoSpace says whether a member's alarm of RaiseNoSpace is raised.
func (p Peers) HasNoSpace(ctx context.Context, member uint64) (raised bool, err error) {
	err = p.with(ctx, func(ctx context.Context, client *clientv3.Client) error {
		list, err := client.AlarmList(ctx)
		if err != nil {
			return err
		}
		for _, one := range list.Alarms {
			raised = raised || one.MemberID == member && one.Alarm == etcdserverpb.AlarmType_NOSPACE
		}
		return nil
	})
	return raised, err
}

// Defragment has the only one of the members write its database anew. It answers nobody meanwhile, and so this may take long.
func (p Peers) Defragment(ctx context.Context) error {
	client, err := p.open()
	if err != nil {
		return err
	}
	defer client.Close()
	if len(p.ClientURLs) != 1 {
		return errors.New("one member is defragmented at a time")
	}
	_, err = client.Defragment(ctx, client.Endpoints()[0])
	return err
}

// Compact forgets all revisions of the cluster's keys but the newest, which it returns: watches and lists that want older ones
// are refused.
func (p Peers) Compact(ctx context.Context) (revision int64, err error) {
	err = p.with(ctx, func(ctx context.Context, client *clientv3.Client) error {
		now, err := client.Get(ctx, "newest", clientv3.WithCountOnly())
		if err != nil {
			return err
		}
		revision = now.Header.Revision
		_, err = client.Compact(ctx, revision, clientv3.WithCompactPhysical())
		return err
	})
	return revision, err
}
