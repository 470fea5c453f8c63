package region

import (
	"cmp"
	"slices"
	"strings"

	"tripod/state"
)

// The indexes of IAM's tables and of who may use a cluster.
var (
	KeysByOwner = state.NewIndex(AccessKeys, "owner", func(k AccessKey) []string {
		return []string{KeyOwner(k.User, k.Root)}
	})

	// By the names in lower case: IAM takes no two that differ by case alone.
	UsersByName    = state.NewIndex(Users, "name", func(u User) []string { return []string{strings.ToLower(u.Name)} })
	RolesByName    = state.NewIndex(Roles, "name", func(r Role) []string { return []string{strings.ToLower(r.Name)} })
	GroupsByName   = state.NewIndex(Groups, "name", func(g Group) []string { return []string{strings.ToLower(g.Name)} })
	PoliciesByName = state.NewIndex(Policies, "name", func(p Policy) []string {
		return []string{strings.ToLower(p.Name)}
	})
	ProfilesByName = state.NewIndex(InstanceProfiles, "name", func(p InstanceProfile) []string {
		return []string{strings.ToLower(p.Name)}
	})

	// By the ARNs of the managed policies that they have.
	UsersByPolicy  = state.NewIndex(Users, "policy", func(u User) []string { return u.Policies })
	RolesByPolicy  = state.NewIndex(Roles, "policy", func(r Role) []string { return r.Policies })
	GroupsByPolicy = state.NewIndex(Groups, "policy", func(g Group) []string { return g.Policies })

	// By the ARN of the policy that bounds them; those that none does are in no group.
	UsersByBoundary = state.NewIndex(Users, "boundary", func(u User) []string { return unlessEmpty(u.Boundary) })
	RolesByBoundary = state.NewIndex(Roles, "boundary", func(r Role) []string { return unlessEmpty(r.Boundary) })

	// By the names of their groups.
	UsersByGroup = state.NewIndex(Users, "group", func(u User) []string { return u.Groups })
	// By the name of their role.
	ProfilesByRole = state.NewIndex(InstanceProfiles, "role", func(p InstanceProfile) []string {
		return unlessEmpty(p.Role)
	})

	AccessEntriesByARN = state.NewIndex(AccessEntries, "arn", func(e AccessEntry) []string { return []string{e.ARN} })
	AssociationsByARN  = state.NewIndex(PodIdentityAssociations, "arn", func(a PodIdentityAssociation) []string {
		return []string{a.ARN}
	})
	// AssociationsByServiceAccount has the groups that ServiceAccountOf names.
	AssociationsByServiceAccount = state.NewIndex(PodIdentityAssociations, "service-account",
		func(a PodIdentityAssociation) []string {
			return []string{ServiceAccountOf(a.ClusterID, a.Namespace, a.ServiceAccount)}
		})
)

// The indexes of instances.
var (
	InstancesByZone   = state.NewIndex(Instances, "zone", func(v Instance) []string { return []string{v.Zone} })
	InstancesByGroup  = state.NewIndex(Instances, "group", func(v Instance) []string { return unlessEmpty(v.Group) })
	InstancesBySubnet = state.NewIndex(Instances, "subnet", func(v Instance) []string { return unlessEmpty(v.SubnetID) })
	// InstancesByAddress has the groups SUBNET/ADDRESS: whether an address is free is asked of no other.
	InstancesByAddress = state.NewIndex(Instances, "address", func(v Instance) []string {
		if v.Address == "" {
			return nil
		}
		return []string{v.SubnetID + "/" + v.Address}
	})
	InstancesByPublicIP = state.NewIndex(Instances, "public-ip", func(v Instance) []string { return unlessEmpty(v.PublicIP) })
	// InstancesByCluster are those that have become, or are to be, nodes of the cluster with that ID; with "/" and a zone
	// behind it, those in that zone.
	InstancesByCluster = state.NewIndex(Instances, "cluster", func(v Instance) []string {
		if v.Boot.ClusterID == "" {
			return nil
		}
		return []string{v.Boot.ClusterID, v.Boot.ClusterID + "/" + v.Zone}
	})
	// InstancesUnsettled are those of a zone whose agent has something to do about them, now or at some time; with
	// "/terminated" behind it, those that are to be forgotten.
	InstancesUnsettled = state.NewIndex(Instances, "unsettled", func(v Instance) []string {
		switch {
		case v.settled():
			return nil
		case v.State == InstanceTerminated:
			return []string{v.Zone + "/terminated"}
		}
		return []string{v.Zone}
	})
)

// The indexes of Fargate's machines.
var (
	FargateBySubnet = state.NewIndex(FargateMachines, "subnet", func(m FargateMachine) []string { return []string{m.SubnetID} })
	// FargateByAddress has the groups SUBNET/ADDRESS, as InstancesByAddress.
	FargateByAddress = state.NewIndex(FargateMachines, "address", func(m FargateMachine) []string {
		return []string{m.SubnetID + "/" + m.Address}
	})
	// FargateByZone are those of a zone, and with a cluster's ID and "/" before the zone those of the cluster there.
	FargateByZone = state.NewIndex(FargateMachines, "zone", func(m FargateMachine) []string {
		return []string{m.Zone, m.ClusterID + "/" + m.Zone}
	})
)

// The indexes of network interfaces.
var (
	InterfacesBySubnet   = state.NewIndex(NetworkInterfaces, "subnet", func(v NetworkInterface) []string { return []string{v.SubnetID} })
	InterfacesByInstance = state.NewIndex(NetworkInterfaces, "instance", func(v NetworkInterface) []string {
		return unlessEmpty(v.AttachedTo())
	})
	// InterfacesByAddress has the groups SUBNET/ADDRESS, as InstancesByAddress, and SUBNET/PREFIX for prefixes.
	InterfacesByAddress = state.NewIndex(NetworkInterfaces, "address", NetworkInterface.holds)
	// InterfacesWithPrefix are those of a subnet that have prefixes: where there are none, no address is looked for in one.
	InterfacesWithPrefix = state.NewIndex(NetworkInterfaces, "prefix", func(v NetworkInterface) []string {
		if len(v.Prefixes) == 0 {
			return nil
		}
		return []string{v.SubnetID}
	})
	InterfacesBySecurityGroup = state.NewIndex(NetworkInterfaces, "security-group", func(v NetworkInterface) []string { return v.Groups })
	// InterfacesByAttachment are by the ids of their attachments.
	InterfacesByAttachment = state.NewIndex(NetworkInterfaces, "attachment", func(v NetworkInterface) []string {
		if v.Attachment == nil {
			return nil
		}
		return unlessEmpty(v.Attachment.ID)
	})
	// InterfacesByToken has those that a call with a ClientToken made.
	InterfacesByToken = state.NewIndex(NetworkInterfaces, "token", func(v NetworkInterface) []string { return unlessEmpty(v.Token) })
	// InterfacesByZone are those of a zone.
	InterfacesByZone = state.NewIndex(NetworkInterfaces, "zone", func(v NetworkInterface) []string { return []string{v.Zone} })
	// BranchesByTrunk are the branch interfaces of a trunk interface.
	BranchesByTrunk = state.NewIndex(NetworkInterfaces, "trunk", func(v NetworkInterface) []string { return unlessEmpty(v.Trunk) })
)

// The indexes of volumes.
var (
	VolumesByInstance = state.NewIndex(Volumes, "instance", func(v Volume) (ids []string) {
		for _, a := range v.Attachments {
			ids = append(ids, a.InstanceID)
		}
		return ids
	})
	// VolumesByToken has those that a call with a ClientToken made.
	VolumesByToken = state.NewIndex(Volumes, "token", func(v Volume) []string { return unlessEmpty(v.Token) })
	// VolumesUnsettled are those of a zone whose agent has something to do about them, and SnapshotsUnsettled its snapshots.
	VolumesUnsettled = state.NewIndex(Volumes, "unsettled", func(v Volume) []string {
		if v.settled() {
			return nil
		}
		return []string{v.Zone}
	})
	SnapshotsUnsettled = state.NewIndex(Snapshots, "unsettled", func(v Snapshot) []string {
		if v.State == SnapshotCompleted {
			return nil
		}
		return []string{v.Zone}
	})
	SnapshotsByVolume = state.NewIndex(Snapshots, "volume", func(v Snapshot) []string { return []string{v.VolumeID} })
)

// The indexes of file systems.
var (
	// FileSystemsByToken has them by the CreationToken of their call, AccessPointsByToken access points by their ClientToken.
	FileSystemsByToken = state.NewIndex(FileSystems, "token", func(f FileSystem) []string { return []string{f.Token} })
	// FileSystemsUnsettled are those of a zone whose agent has something to do about them, in the group "region" those that are
	// in no zone; MountTargetsUnsettled are a zone's mount targets.
	FileSystemsUnsettled = state.NewIndex(FileSystems, "unsettled", func(f FileSystem) []string {
		if f.State.settled() {
			return nil
		}
		return []string{cmp.Or(f.Zone, "region")}
	})
	MountTargetsUnsettled = state.NewIndex(MountTargets, "unsettled", func(m MountTarget) []string {
		if m.State.settled() {
			return nil
		}
		return []string{m.Zone}
	})
	MountTargetsByFileSystem = state.NewIndex(MountTargets, "file-system", func(m MountTarget) []string {
		return []string{m.FileSystemID}
	})
	MountTargetsBySubnet        = state.NewIndex(MountTargets, "subnet", func(m MountTarget) []string { return []string{m.SubnetID} })
	MountTargetsBySecurityGroup = state.NewIndex(MountTargets, "security-group", func(m MountTarget) []string {
		return m.SecurityGroups
	})
	AccessPointsByFileSystem = state.NewIndex(AccessPoints, "file-system", func(p AccessPoint) []string {
		return []string{p.FileSystemID}
	})
	AccessPointsByToken = state.NewIndex(AccessPoints, "token", func(p AccessPoint) []string { return []string{p.Token} })
)

// The indexes of load balancers.
var (
	BalancersBySecurityGroup = state.NewIndex(LoadBalancers, "security-group", func(b LoadBalancer) []string {
		return b.SecurityGroups
	})
	BalancersBySubnet = state.NewIndex(LoadBalancers, "subnet", func(b LoadBalancer) (ids []string) {
		for _, z := range b.Zones {
			ids = append(ids, z.SubnetID)
		}
		return ids
	})
	// By the ARNs of certificates: of classic load balancers' listeners, and of the others'.
	BalancersByCertificate = state.NewIndex(LoadBalancers, "certificate", func(b LoadBalancer) []string {
		return b.Classic.certificates()
	})
	ListenersByCertificate = state.NewIndex(Listeners, "certificate", func(l Listener) []string {
		return l.Certificates
	})
	// By the ARNs of the target groups that they send to.
	ListenersByTargetGroup = state.NewIndex(Listeners, "target-group", func(l Listener) []string {
		return distinct(GroupsIn(l.Actions))
	})
	RulesByTargetGroup = state.NewIndex(ListenerRules, "target-group", func(r ListenerRule) []string {
		return distinct(GroupsIn(r.Actions))
	})
	// TargetsByID are by what they are: an instance's id, an address, an ARN.
	TargetsByID = state.NewIndex(Targets, "id", func(t Target) []string { return []string{t.ID} })
)

// Schema has all indexes that there are.
var Schema = state.NewSchema(
	state.Indexed(AccessKeys, KeysByOwner),
	state.Indexed(Users, UsersByName, UsersByPolicy, UsersByBoundary, UsersByGroup),
	state.Indexed(Roles, RolesByName, RolesByPolicy, RolesByBoundary),
	state.Indexed(Groups, GroupsByName, GroupsByPolicy),
	state.Indexed(Policies, PoliciesByName),
	state.Indexed(InstanceProfiles, ProfilesByName, ProfilesByRole),
	state.Indexed(AccessEntries, AccessEntriesByARN),
	state.Indexed(PodIdentityAssociations, AssociationsByARN, AssociationsByServiceAccount),
	state.Indexed(Instances, InstancesByZone, InstancesByGroup, InstancesBySubnet, InstancesByAddress,
		InstancesByPublicIP, InstancesByCluster, InstancesUnsettled),
	state.Indexed(FargateMachines, FargateBySubnet, FargateByAddress, FargateByZone),
	state.Indexed(NetworkInterfaces, InterfacesBySubnet, InterfacesByInstance, InterfacesByAddress, InterfacesWithPrefix,
		InterfacesBySecurityGroup, InterfacesByAttachment, InterfacesByToken, InterfacesByZone,
		BranchesByTrunk),
	state.Indexed(Volumes, VolumesByInstance, VolumesByToken, VolumesUnsettled),
	state.Indexed(Snapshots, SnapshotsUnsettled, SnapshotsByVolume),
	state.Indexed(FileSystems, FileSystemsByToken, FileSystemsUnsettled),
	state.Indexed(MountTargets, MountTargetsByFileSystem, MountTargetsBySubnet, MountTargetsBySecurityGroup, MountTargetsUnsettled),
	state.Indexed(AccessPoints, AccessPointsByFileSystem, AccessPointsByToken),
	state.Indexed(LoadBalancers, BalancersBySecurityGroup, BalancersBySubnet, BalancersByCertificate),
	state.Indexed(Listeners, ListenersByCertificate, ListenersByTargetGroup),
	state.Indexed(ListenerRules, RulesByTargetGroup),
	state.Indexed(Targets, TargetsByID),
)

// KeyOwner names the user of that name, or the account's root user, in KeysByOwner.
func KeyOwner(user string, root bool) string {
	if root {
		return "root"
	}
	return "user/" + user
}

// ServiceAccountOf names a cluster's service account in AssociationsByServiceAccount.
func ServiceAccountOf(clusterID, namespace, name string) string {
	return clusterID + "/" + namespace + "/" + name
}

// distinct are the names, each once.
func distinct(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

func unlessEmpty(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}
