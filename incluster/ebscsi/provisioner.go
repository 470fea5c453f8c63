package ebscsi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"google.golang.org/grpc/codes"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	translator "k8s.io/csi-translation-lib"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"tripod/incluster/csidriver"
)

// provisioner is the Driver as external-provisioner's library has it make and delete volumes.
type provisioner Driver

// gib is 2^30, in which EBS counts.
const gib = int64(1) << 30

// The parameters of a StorageClass that the driver knows, in lower case ("StorageClass parameters" of the driver).
const (
	typeParameter       = "type"
	iopsParameter       = "iops"
	iopsPerGBParameter  = "iopspergb"
	throughputParameter = "throughput"
	encryptedParameter  = "encrypted"
	keyParameter        = "kmskeyid"
	fsTypeParameter     = "csi.storage.k8s.io/fstype"
	tagsParameter       = "tagspecification_"
)

// ignored are parameters that are about how a file system is made, or about what nothing here does.
var ignored = []string{"blocksize", "inodesize", "bytesperinode", "numberofinodes", "ext4bigalloc", "ext4clustersize",
	"allowautoiopspergbincrease", "allowautoiopsincreaseonmodify", "blockexpress", "volumeinitializationrate",
	"csi.storage.k8s.io/pvc/name", "csi.storage.k8s.io/pvc/namespace", "csi.storage.k8s.io/pv/name"}

// Provision makes the volume of a claim.
func (p *provisioner) Provision(ctx context.Context, o controller.ProvisionOptions) (*corev1.PersistentVolume,
	controller.ProvisioningState, error) {
	d := (*Driver)(p)
	class, migrated := o.StorageClass, o.StorageClass.Provisioner == inTree
	if migrated {
		translated, err := translator.New().TranslateInTreeStorageClassToCSI(klog.FromContext(ctx), inTree, class)
		if err != nil {
			return nil, controller.ProvisioningFinished, err
		}
		class = translated
	}
	for _, mode := range o.PVC.Spec.AccessModes {
		if mode != corev1.ReadWriteOnce && mode != corev1.ReadWriteOncePod {
			return nil, controller.ProvisioningFinished, csidriver.RPC(codes.InvalidArgument, "Volume capabilities %s not supported. Only "+
				"AccessModes[ReadWriteOnce] supported.", map[corev1.PersistentVolumeAccessMode]string{
				corev1.ReadWriteMany: "MULTI_NODE_MULTI_WRITER", corev1.ReadOnlyMany: "MULTI_NODE_READER_ONLY"}[mode])
		}
	}
	zone, state, err := d.zoneFor(o, class)
	if err != nil {
		return nil, state, err
	}
	asked := o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]
	snapshotID, err := d.sourceOf(o.PVC)
	if err != nil {
		return nil, controller.ProvisioningNoChange, err
	}
	in, fsType, err := d.request(o, class, zone, max(1, (asked.Value()+gib-1)/gib))
	if err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	if err := d.withAttributes(in, o.PVC); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	if snapshotID != "" {
		in.SnapshotId = &snapshotID
	}
	out, err := d.EC2.CreateVolume(ctx, in)
	if err != nil {
		return nil, controller.ProvisioningFinished, csidriver.RPC(codes.Internal, "Could not create volume %q: could not create "+
			"volume in EC2: %v", o.PVName, err)
	}
	made, err := d.await(ctx, aws.ToString(out.VolumeId), func(v types.Volume) bool { return v.State == types.VolumeStateAvailable })
	if err != nil {
		return nil, controller.ProvisioningInBackground, csidriver.RPC(codes.Internal, "Could not create volume %q: failed to get an available "+
			"volume in EC2: %v", o.PVName, err)
	}
	v := persistentVolume(o, made, fsType)
	if migrated {
		if v, err = translator.New().TranslateCSIPVToInTree(v); err != nil {
			return nil, controller.ProvisioningFinished, err
		}
	}
	return v, controller.ProvisioningFinished, nil
}

// persistentVolume stands for a volume that was made.
func persistentVolume(o controller.ProvisionOptions, made types.Volume, fsType string) *corev1.PersistentVolume {
	mode := o.PVC.Spec.VolumeMode
	source := &corev1.CSIPersistentVolumeSource{Driver: Name, VolumeHandle: aws.ToString(made.VolumeId)}
	if mode == nil || *mode == corev1.PersistentVolumeFilesystem {
		source.FSType = fsType
	}
	v := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes: o.PVC.Spec.AccessModes, MountOptions: o.StorageClass.MountOptions, VolumeMode: mode,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: *gibs(aws.ToInt32(made.Size))},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{CSI: source},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			VolumeAttributesClassName:     o.PVC.Spec.VolumeAttributesClassName,
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: zoneKey, Operator: corev1.NodeSelectorOpIn,
					Values: []string{aws.ToString(made.AvailabilityZone)}}}}}}},
		},
	}
	if o.StorageClass.ReclaimPolicy != nil {
		v.Spec.PersistentVolumeReclaimPolicy = *o.StorageClass.ReclaimPolicy
	}
	return v
}

func gibs(n int32) *resource.Quantity { return resource.NewQuantity(int64(n)*gib, resource.BinarySI) }

// request is the call for a volume. Its ClientToken follows from the persistent volume's name, so that a call whose answer
// was lost makes no second one.
func (d *Driver) request(o controller.ProvisionOptions, class *storagev1.StorageClass, zone string, size int64) (
	in *ec2.CreateVolumeInput, fsType string, err error) {
	sum := sha256.Sum256([]byte(o.PVName))
	in = &ec2.CreateVolumeInput{AvailabilityZone: &zone, Size: aws.Int32(int32(size)), VolumeType: types.VolumeTypeGp3,
		ClientToken: aws.String(hex.EncodeToString(sum[:]))}
	fsType = "ext4"
	tags := d.tagsOf(o)
	for name, value := range class.Parameters {
		number, wrong := strconv.ParseInt(value, 10, 32)
		switch key := strings.ToLower(name); {
		case key == typeParameter:
			in.VolumeType = types.VolumeType(value)
		case key == iopsParameter && wrong == nil:
			in.Iops = aws.Int32(int32(number))
		case key == iopsPerGBParameter && wrong == nil:
			in.Iops = aws.Int32(int32(number * size))
		case key == throughputParameter && wrong == nil:
			in.Throughput = aws.Int32(int32(number))
		case key == iopsParameter, key == iopsPerGBParameter, key == throughputParameter:
			return nil, "", csidriver.RPC(codes.InvalidArgument, "Could not parse invalid %s: %v", name, wrong)
		case key == encryptedParameter:
			in.Encrypted = aws.Bool(strings.EqualFold(value, "true"))
		case key == keyParameter:
			in.KmsKeyId = aws.String(value)
		case key == fsTypeParameter, key == "fstype":
			fsType = value
		case strings.HasPrefix(key, tagsParameter):
			tag, text, found := strings.Cut(value, "=")
			if !found {
				return nil, "", csidriver.RPC(codes.InvalidArgument, "Error interpolating the tag value: %q is not KEY=VALUE", value)
			}
			tags[tag] = text
		case slices.Contains(ignored, key):
		default:
			return nil, "", csidriver.RPC(codes.InvalidArgument, "Invalid parameter key %s for CreateVolume", name)
		}
	}
	in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeVolume}}
	for _, key := range slices.Sorted(keysOf(tags)) {
		in.TagSpecifications[0].Tags = append(in.TagSpecifications[0].Tags, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return in, fsType, nil
}

func keysOf(all map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range all {
			if !yield(key) {
				return
			}
		}
	}
}

// tagsOf are the tags of a claim's volume, as the add-on gives them.
func (d *Driver) tagsOf(o controller.ProvisionOptions) map[string]string {
	tags := map[string]string{"CSIVolumeName": o.PVName, "ebs.csi.aws.com/cluster": "true",
		"kubernetes.io/created-for/pvc/name": o.PVC.Name, "kubernetes.io/created-for/pvc/namespace": o.PVC.Namespace,
		"kubernetes.io/created-for/pv/name": o.PVName, "kubernetes.io/cluster/" + d.Cluster: "owned",
		"KubernetesCluster": d.Cluster, "Name": d.Cluster + "-dynamic-" + o.PVName}
	for key, value := range d.Tags {
		tags[key] = value
	}
	return tags
}

// zoneFor is the zone of a claim's volume: that of the node that the scheduler has chosen for its pod, or where it is bound at
// once one that the class allows and nodes with the driver are in, by the claim's name as external-provisioner has it.
func (d *Driver) zoneFor(o controller.ProvisionOptions, class *storagev1.StorageClass) (string, controller.ProvisioningState, error) {
	if o.SelectedNodeName != "" {
		n, found := csidriver.Get[*corev1.Node](d.nodes, o.SelectedNodeName)
		registered := found && d.isRegistered(o.SelectedNodeName)
		zone := ""
		if registered {
			zone = n.Labels[zoneKey]
		}
		if zone == "" {
			return "", controller.ProvisioningReschedule, fmt.Errorf("error generating accessibility requirements: no topology key "+
				"found on CSINode %s", o.SelectedNodeName)
		}
		if allowed := allowedZones(class); len(allowed) > 0 && !slices.Contains(allowed, zone) {
			return "", controller.ProvisioningReschedule, fmt.Errorf("error generating accessibility requirements: selected node "+
				"'%q' topology '%v' is not in allowed topologies: %v", n.Name, map[string]string{zoneKey: zone}, allowed)
		}
		return zone, controller.ProvisioningFinished, nil
	}
	zones := allowedZones(class)
	if len(zones) == 0 {
		for _, value := range d.nodes.GetStore().List() {
			if n := value.(*corev1.Node); d.isRegistered(n.Name) && n.Labels[zoneKey] != "" && !slices.Contains(zones, n.Labels[zoneKey]) {
				zones = append(zones, n.Labels[zoneKey])
			}
		}
	}
	if len(zones) == 0 {
		return "", controller.ProvisioningFinished, errors.New("error generating accessibility requirements: no available topology found")
	}
	sort.Strings(zones)
	hash := fnv.New32a()
	hash.Write([]byte(o.PVC.Name))
	return zones[int(hash.Sum32()%uint32(len(zones)))], controller.ProvisioningFinished, nil
}

// allowedZones are those that a class allows; none: all.
func allowedZones(class *storagev1.StorageClass) (zones []string) {
	for _, term := range class.AllowedTopologies {
		for _, e := range term.MatchLabelExpressions {
			if e.Key == zoneKey || e.Key == driverZoneKey {
				zones = append(zones, e.Values...)
			}
		}
	}
	return zones
}

// SupportsBlock says that raw block volumes are EBS's, too.
func (p *provisioner) SupportsBlock(context.Context) bool { return true }

// Delete deletes the volume behind a persistent volume that nothing needs any more.
func (p *provisioner) Delete(ctx context.Context, v *corev1.PersistentVolume) error {
	d := (*Driver)(p)
	volumeID := handleOf(v)
	if volumeID == "" {
		return &controller.IgnoredError{Reason: "the volume is not of " + Name}
	}
	for _, value := range d.attachments.GetStore().List() {
		if a := value.(*storagev1.VolumeAttachment); a.Spec.Attacher == Name && ptr(a.Spec.Source.PersistentVolumeName) == v.Name {
			return fmt.Errorf("persistentvolume %s is still attached to node %s", v.Name, a.Spec.NodeName)
		}
	}
	_, err := d.EC2.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: &volumeID})
	if err == nil || csidriver.HasCode(err, "InvalidVolume.NotFound") {
		return nil
	}
	return csidriver.RPC(codes.Internal, "Could not delete volume ID %q: %v", volumeID, err)
}
