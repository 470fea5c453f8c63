package efscsi

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	"github.com/aws/aws-sdk-go-v2/service/efs/types"
	"google.golang.org/grpc/codes"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"tripod/incluster/csidriver"
	"tripod/nodes/efsvolume"
)

// provisioner is the Driver as external-provisioner's library has it make and delete volumes.
type provisioner Driver

// inWords is an error in the driver's own words, which begin with a capital letter.
func inWords(format string, args ...any) error { return fmt.Errorf(format, args...) }

// What the driver says in place of EFS's errors (pkg/cloud).
var (
	errDenied   = inWords("Access denied")
	errNotFound = inWords("Resource was not found")
)

// denied is the driver's error for what its role may not do.
func denied() error {
	return csidriver.RPC(codes.Unauthenticated, "Access Denied. Please ensure you have the right AWS permissions: %v", errDenied)
}

// accessModes are as CSI calls those that are not supported.
var accessModes = map[corev1.PersistentVolumeAccessMode]string{corev1.ReadOnlyMany: "MULTI_NODE_READER_ONLY"}

// Provision makes the access point of a claim.
func (p *provisioner) Provision(ctx context.Context, o controller.ProvisionOptions) (*corev1.PersistentVolume,
	controller.ProvisioningState, error) {
	d := (*Driver)(p)
	c, err := d.constraintsOf(ctx, o)
	if err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	pointID, err := d.pointFor(ctx, c)
	if err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	v := d.persistentVolume(o, c.fileSystem, pointID)
	if c.zoneAffinity {
		if v.Spec.NodeAffinity, err = d.affinityOf(ctx, c.fileSystem); err != nil {
			return nil, controller.ProvisioningFinished, err
		}
	}
	return v, controller.ProvisioningFinished, nil
}

// persistentVolume stands for an access point.
func (d *Driver) persistentVolume(o controller.ProvisionOptions, fileSystem, pointID string) *corev1.PersistentVolume {
	handle := fileSystem + "::" + pointID
	if d.recent() {
		handle = "efs:" + handle
	}
	v := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes: o.PVC.Spec.AccessModes, MountOptions: o.StorageClass.MountOptions, VolumeMode: o.PVC.Spec.VolumeMode,
			Capacity: corev1.ResourceList{corev1.ResourceStorage: o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: Name,
				VolumeHandle: handle}},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
		},
	}
	if o.StorageClass.ReclaimPolicy != nil {
		v.Spec.PersistentVolumeReclaimPolicy = *o.StorageClass.ReclaimPolicy
	}
	return v
}

// affinityOf is that of volumes of a One Zone file system: none of others.
func (d *Driver) affinityOf(ctx context.Context, fileSystem string) (*corev1.VolumeNodeAffinity, error) {
	zone, err := d.zoneOf(ctx, fileSystem)
	switch {
	case csidriver.HasCode(err, "AccessDeniedException"):
		return nil, denied()
	case err != nil:
		return nil, csidriver.RPC(codes.Internal, "Failed to describe file system for one zone AZ discovery: %v", err)
	case zone == "":
		return nil, nil
	}
	return &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn,
			Values: []string{zone}}}}}}}, nil
}

func (d *Driver) zoneOf(ctx context.Context, fileSystem string) (string, error) {
	out, err := d.EFS.DescribeFileSystems(ctx, &efs.DescribeFileSystemsInput{FileSystemId: &fileSystem})
	if err != nil || len(out.FileSystems) != 1 {
		return "", err
	}
	return aws.ToString(out.FileSystems[0].AvailabilityZoneName), nil
}

// pointFor is the id of the access point that a claim gets: a new one, or the one that a call before has made.
func (d *Driver) pointFor(ctx context.Context, c constraints) (string, error) {
	if c.reuse {
		if p, err := d.byToken(ctx, c); err != nil || p != nil {
			return aws.ToString(idOf(p)), err
		}
	}
	d.gids.Lock()
	defer d.gids.Unlock()
	if c.uid < 0 || c.gid < 0 {
		free, err := d.freeGID(ctx, c)
		if err != nil {
			return "", err
		}
		if c.uid < 0 {
			c.uid = free
		}
		if c.gid < 0 {
			c.gid = free
		}
	}
	in := &efs.CreateAccessPointInput{ClientToken: &c.token, FileSystemId: &c.fileSystem, Tags: c.tags,
		PosixUser: &types.PosixUser{Uid: &c.uid, Gid: &c.gid},
		RootDirectory: &types.RootDirectory{Path: &c.path, CreationInfo: &types.CreationInfo{OwnerUid: &c.uid, OwnerGid: &c.gid,
			Permissions: &c.permissions}}}
	out, err := d.EFS.CreateAccessPoint(ctx, in)
	switch {
	case csidriver.HasCode(err, "AccessDeniedException"):
		return "", denied()
	case csidriver.HasCode(err, "AccessPointAlreadyExists"):
		p, err := d.byToken(ctx, c)
		if err == nil && p == nil {
			err = inWords("No access point for client token %s was returned: %w", c.token, errNotFound)
		}
		return aws.ToString(idOf(p)), err
	case err != nil:
		return "", csidriver.RPC(codes.Internal, "Failed to create Access point in File System %v : Failed to create access point: %v",
			c.fileSystem, err)
	}
	return aws.ToString(out.AccessPointId), nil
}

func idOf(p *types.AccessPointDescription) *string {
	if p == nil {
		return nil
	}
	return p.AccessPointId
}

// points are a file system's access points.
func (d *Driver) points(ctx context.Context, fileSystem string) (all []types.AccessPointDescription, err error) {
	pages := efs.NewDescribeAccessPointsPaginator(d.EFS, &efs.DescribeAccessPointsInput{FileSystemId: &fileSystem})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.AccessPoints...)
	}
	return all, nil
}

// byToken is the access point with the claim's token, if there is one and it fits.
func (d *Driver) byToken(ctx context.Context, c constraints) (*types.AccessPointDescription, error) {
	all, err := d.points(ctx, c.fileSystem)
	if err != nil {
		return nil, fmt.Errorf("failed to find access point: failed to list Access Points of efs = %s : %w", c.fileSystem, err)
	}
	i := slices.IndexFunc(all, func(p types.AccessPointDescription) bool { return aws.ToString(p.ClientToken) == c.token })
	if i < 0 {
		return nil, nil
	}
	if err := c.fit(all[i]); err != nil {
		return nil, csidriver.RPC(codes.AlreadyExists, "Invalid existing access point: %v", err)
	}
	return &all[i], nil
}

// mostPoints is how many access points a file system may have: no more groups are looked at.
const mostPoints = 10000

// freeGID is the first group of the class's range that no access point of the file system has.
func (d *Driver) freeGID(ctx context.Context, c constraints) (int64, error) {
	all, err := d.points(ctx, c.fileSystem)
	switch {
	case csidriver.HasCode(err, "AccessDeniedException"):
		return 0, denied()
	case csidriver.HasCode(err, "FileSystemNotFound"):
		return 0, csidriver.RPC(codes.InvalidArgument, "File System does not exist: %v", errNotFound)
	case err != nil:
		return 0, csidriver.RPC(codes.Internal, "Failed to fetch Access Points or Describe File System: List Access Points failed: %v", err)
	}
	used := map[int64]bool{}
	for _, p := range all {
		if p.PosixUser != nil {
			used[aws.ToInt64(p.PosixUser.Gid)] = true
		}
	}
	for gid := c.gidMin; gid <= min(c.gidMax, c.gidMin+mostPoints); gid++ {
		if !used[gid] {
			return gid, nil
		}
	}
	return 0, csidriver.RPC(codes.Internal, "Failed to locate a free GID for given file system: %v. Please create a new storage class with a "+
		"new file-system", c.fileSystem)
}

// SupportsBlock says yes, as every CSI driver's provisioner does: the driver itself refuses.
func (p *provisioner) SupportsBlock(context.Context) bool { return true }

// Delete deletes the access point behind a persistent volume that nothing needs any more. What is in its directory stays, unless
// the add-on is told otherwise.
func (p *provisioner) Delete(ctx context.Context, v *corev1.PersistentVolume) error {
	d := (*Driver)(p)
	if v.Spec.CSI == nil || v.Spec.CSI.Driver != Name {
		return &controller.IgnoredError{Reason: "the volume is not of " + Name}
	}
	handle, err := efsvolume.Parse(v.Spec.CSI.VolumeHandle)
	if err != nil || handle.AccessPoint == "" {
		return nil // as the driver has it
	}
	if d.RemoveRoot != nil {
		if err := d.removeRoot(ctx, handle); err != nil {
			return err
		}
	}
	_, err = d.EFS.DeleteAccessPoint(ctx, &efs.DeleteAccessPointInput{AccessPointId: &handle.AccessPoint})
	switch {
	case err == nil, csidriver.HasCode(err, "AccessPointNotFound"):
		return nil
	case csidriver.HasCode(err, "AccessDeniedException"):
		return denied()
	}
	return csidriver.RPC(codes.Internal, "Failed to Delete volume %v: Failed to delete access point: %v, error: %v", v.Spec.CSI.VolumeHandle,
		handle.AccessPoint, err)
}

// removeRoot deletes the root directory of an access point.
func (d *Driver) removeRoot(ctx context.Context, handle efsvolume.Handle) error {
	out, err := d.EFS.DescribeAccessPoints(ctx, &efs.DescribeAccessPointsInput{AccessPointId: &handle.AccessPoint})
	switch {
	case csidriver.HasCode(err, "AccessPointNotFound"):
		return nil
	case csidriver.HasCode(err, "AccessDeniedException"):
		return denied()
	case err != nil || len(out.AccessPoints) != 1:
		return csidriver.RPC(codes.Internal, "Could not get describe Access Point: %v , error: Describe Access Point failed: %v",
			handle.AccessPoint, err)
	}
	root := aws.ToString(out.AccessPoints[0].RootDirectory.Path)
	zone, err := d.zoneOf(ctx, handle.FileSystem)
	if err == nil {
		err = d.RemoveRoot(handle.FileSystem, zone, root)
	}
	if err != nil {
		return csidriver.RPC(codes.Internal, "Could not delete access point root directory %q: %v", root, err)
	}
	return nil
}

// hashed is a token of 64 characters.
func hashed(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// fit says why an access point that is there already is not one that the claim could get.
func (c constraints) fit(p types.AccessPointDescription) error {
	outside := func(id int64) bool { return id < c.gidMin || id > c.gidMax }
	root := ""
	if p.RootDirectory != nil {
		root = aws.ToString(p.RootDirectory.Path)
	}
	switch {
	case !strings.HasPrefix(strings.TrimPrefix(root, "/"), strings.TrimPrefix(c.basePath, "/")):
		return inWords("Access point found but has different base path than what's specified in storage class")
	case p.PosixUser == nil:
		return inWords("Access point found but PosixUser is nil")
	case c.gid >= 0 && *p.PosixUser.Gid != c.gid && c.gidGiven:
		return inWords("Access point found but its GID is incorrect")
	case !c.gidGiven && outside(*p.PosixUser.Gid):
		return inWords("Access point found but its GID is outside the specified range")
	case c.uidGiven && *p.PosixUser.Uid != c.uid:
		return inWords("Access point found but its UID is incorrect")
	case !c.uidGiven && outside(*p.PosixUser.Uid):
		return inWords("Access point found but its UID is outside the specified range")
	}
	return nil
}
