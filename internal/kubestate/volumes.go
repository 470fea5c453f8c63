package kubestate

import (
	"context"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

type (
	volume       = corev1.PersistentVolume
	claim        = corev1.PersistentVolumeClaim
	storageClass = storagev1.StorageClass
	attachment   = storagev1.VolumeAttachment
)

var volumes = kind[volume, *volume]{
	name: "persistentvolumes",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.CoreV1().PersistentVolumes().List(ctx, o)
	},
	labels: named[*volume]("persistentvolume"),
	families: []family[volume]{
		several("kube_persistentvolume_claim_ref", "Information about the Persistent Volume Claim Reference.",
			func(v *volume, s *series) {
				if of := v.Spec.ClaimRef; of != nil {
					s.add(1, "name", of.Name, "claim_namespace", of.Namespace)
				}
			}),
		several("kube_persistentvolume_status_phase",
			"The phase indicates if a volume is available, bound to a claim, or released by a claim.", func(v *volume, s *series) {
				if v.Status.Phase != "" {
					oneOf(s, v.Status.Phase, "phase", corev1.VolumePending, corev1.VolumeAvailable, corev1.VolumeBound,
						corev1.VolumeReleased, corev1.VolumeFailed)
				}
			}),
		info("kube_persistentvolume_info", "Information about persistentvolume.", volumeInfo),
		gauge("kube_persistentvolume_capacity_bytes", "Persistentvolume capacity in bytes.", func(v *volume) float64 {
			q := v.Spec.Capacity[corev1.ResourceStorage]
			return float64(q.Value())
		}),
		created[volume]("kube_persistentvolume"),
		deleted[volume]("kube_persistentvolume"),
		info("kube_persistentvolume_volume_mode", "Volume Mode information for the PersistentVolume.", func(v *volume) []string {
			mode := corev1.PersistentVolumeFilesystem
			if v.Spec.VolumeMode != nil {
				mode = *v.Spec.VolumeMode
			}
			return []string{"volumemode", string(mode)}
		}),
		several("kube_persistentvolume_access_mode", "The access mode(s) specified by the persistent volume.",
			func(v *volume, s *series) { accessModes(s, v.Spec.AccessModes) }),
	},
}

func accessModes(s *series, modes []corev1.PersistentVolumeAccessMode) {
	for _, mode := range modes {
		s.add(1, "access_mode", string(mode))
	}
}

// volumeInfo has a label for each kind of volume that kube-state-metrics knows; all but one are empty.
func volumeInfo(v *volume) []string {
	is := map[string]string{}
	switch spec := v.Spec; {
	case spec.GCEPersistentDisk != nil:
		is["gce_persistent_disk_name"] = spec.GCEPersistentDisk.PDName
	case spec.AWSElasticBlockStore != nil:
		is["ebs_volume_id"] = spec.AWSElasticBlockStore.VolumeID
	case spec.AzureDisk != nil:
		is["azure_disk_name"] = spec.AzureDisk.DiskName
	case spec.FC != nil:
		if spec.FC.Lun != nil {
			is["fc_lun"] = strconv.Itoa(int(*spec.FC.Lun))
		}
		is["fc_target_wwns"], is["fc_wwids"] = strings.Join(spec.FC.TargetWWNs, ","), strings.Join(spec.FC.WWIDs, ",")
	case spec.ISCSI != nil:
		is["iscsi_target_portal"], is["iscsi_iqn"] = spec.ISCSI.TargetPortal, spec.ISCSI.IQN
		is["iscsi_lun"], is["iscsi_initiator_name"] = strconv.Itoa(int(spec.ISCSI.Lun)), said(spec.ISCSI.InitiatorName)
	case spec.NFS != nil:
		is["nfs_server"], is["nfs_path"] = spec.NFS.Server, spec.NFS.Path
	case spec.CSI != nil:
		is["csi_driver"], is["csi_volume_handle"] = spec.CSI.Driver, spec.CSI.VolumeHandle
	case spec.Local != nil:
		is["local_path"], is["local_fs"] = spec.Local.Path, said(spec.Local.FSType)
	case spec.HostPath != nil:
		is["host_path"], is["host_path_type"] = spec.HostPath.Path, said(spec.HostPath.Type)
	}
	labels := []string{"storageclass", v.Spec.StorageClassName}
	for _, name := range []string{"gce_persistent_disk_name", "ebs_volume_id", "azure_disk_name", "fc_wwids", "fc_lun", "fc_target_wwns",
		"iscsi_target_portal", "iscsi_iqn", "iscsi_lun", "iscsi_initiator_name", "nfs_server", "nfs_path", "csi_driver",
		"csi_volume_handle", "local_path", "local_fs", "host_path", "host_path_type"} {
		labels = append(labels, name, is[name])
	}
	return append(labels, "reclaim_policy", string(v.Spec.PersistentVolumeReclaimPolicy))
}

var claims = kind[claim, *claim]{
	name: "persistentvolumeclaims",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.CoreV1().PersistentVolumeClaims("").List(ctx, o)
	},
	labels: namespaced[*claim]("persistentvolumeclaim"),
	families: []family[claim]{
		info("kube_persistentvolumeclaim_info", "Information about persistent volume claim.", func(c *claim) []string {
			class, found := c.Annotations[corev1.BetaStorageClassAnnotation]
			if !found {
				class = said(c.Spec.StorageClassName)
			}
			return []string{"storageclass", class, "volumename", c.Spec.VolumeName, "volumemode", said(c.Spec.VolumeMode)}
		}),
		several("kube_persistentvolumeclaim_status_phase", "The phase the persistent volume claim is currently in.",
			func(c *claim, s *series) {
				if c.Status.Phase != "" {
					oneOf(s, c.Status.Phase, "phase", corev1.ClaimLost, corev1.ClaimBound, corev1.ClaimPending)
				}
			}),
		several("kube_persistentvolumeclaim_resource_requests_storage_bytes",
			"The capacity of storage requested by the persistent volume claim.", func(c *claim, s *series) {
				if q, found := c.Spec.Resources.Requests[corev1.ResourceStorage]; found {
					s.add(float64(q.Value()))
				}
			}),
		several("kube_persistentvolumeclaim_access_mode", "The access mode(s) specified by the persistent volume claim.",
			func(c *claim, s *series) { accessModes(s, c.Spec.AccessModes) }),
		several("kube_persistentvolumeclaim_status_condition",
			"Information about status of different conditions of persistent volume claim.", func(c *claim, s *series) {
				for _, is := range c.Status.Conditions {
					s.condition(is.Status, "status", "condition", string(is.Type))
				}
			}),
		created[claim]("kube_persistentvolumeclaim"),
		deleted[claim]("kube_persistentvolumeclaim"),
	},
}

var storageClasses = kind[storageClass, *storageClass]{
	name: "storageclasses",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.StorageV1().StorageClasses().List(ctx, o)
	},
	labels: named[*storageClass]("storageclass"),
	families: []family[storageClass]{
		info("kube_storageclass_info", "Information about storageclass.", func(c *storageClass) []string {
			reclaim, binding := corev1.PersistentVolumeReclaimDelete, storagev1.VolumeBindingImmediate
			if c.ReclaimPolicy != nil {
				reclaim = *c.ReclaimPolicy
			}
			if c.VolumeBindingMode != nil {
				binding = *c.VolumeBindingMode
			}
			return []string{"provisioner", c.Provisioner, "reclaim_policy", string(reclaim), "volume_binding_mode", string(binding)}
		}),
		created[storageClass]("kube_storageclass"),
	},
}

var attachments = kind[attachment, *attachment]{
	name: "volumeattachments",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.StorageV1().VolumeAttachments().List(ctx, o)
	},
	labels: named[*attachment]("volumeattachment"),
	families: []family[attachment]{
		info("kube_volumeattachment_labels", "Kubernetes labels converted to Prometheus labels.",
			func(a *attachment) []string { return labelsOf("label", a.Labels) }),
		info("kube_volumeattachment_info", "Information about volumeattachment.",
			func(a *attachment) []string { return []string{"attacher", a.Spec.Attacher, "node", a.Spec.NodeName} }),
		created[attachment]("kube_volumeattachment"),
		several("kube_volumeattachment_spec_source_persistentvolume", "PersistentVolume source reference.",
			func(a *attachment, s *series) {
				if name := a.Spec.Source.PersistentVolumeName; name != nil {
					s.add(1, "volumename", *name)
				}
			}),
		several("kube_volumeattachment_status_attached", "Information about volumeattachment.",
			func(a *attachment, s *series) { s.is(a.Status.Attached) }),
		info("kube_volumeattachment_status_attachment_metadata", "volumeattachment metadata.",
			func(a *attachment) []string { return labelsOf("metadata", a.Status.AttachmentMetadata) }),
	},
}
