package efscsi

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/efs/types"
	"google.golang.org/grpc/codes"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"tripod/incluster/csidriver"
)

// The range of groups where a class has none.
const (
	defaultGIDMin = 50000
	defaultGIDMax = defaultGIDMin + mostPoints
)

// constraints are what a claim's class asks of its access point.
type constraints struct {
	fileSystem, token, basePath, path, permissions string
	uid, gid                                       int64 // -1: one of the range
	uidGiven, gidGiven                             bool
	gidMin, gidMax                                 int64
	reuse, zoneAffinity                            bool
	tags                                           []types.Tag
}

func invalid(format string, args ...any) error {
	return csidriver.RPC(codes.InvalidArgument, format, args...)
}

// constraintsOf reads a class's parameters ("Storage Class Parameters for Dynamic Provisioning" of the driver), in the driver's
// order, since the first that is wrong is told.
func (d *Driver) constraintsOf(ctx context.Context, o controller.ProvisionOptions) (c constraints, err error) {
	given := o.StorageClass.Parameters
	c = constraints{token: o.PVName, permissions: given["directoryPerms"], basePath: given["basePath"]}
	for name, value := range map[string]*bool{"reuseAccessPoint": &c.reuse, "enforceZoneAffinity": &c.zoneAffinity} {
		if text, there := given[name]; there {
			if *value, err = strconv.ParseBool(text); err != nil {
				return c, invalid("Invalid value for %s parameter", name)
			}
		}
	}
	if c.reuse {
		c.token = hashed(o.PVC.Name)
	}
	if err := supported(o); err != nil {
		return c, err
	}
	if c.fileSystem, err = d.fileSystemOf(ctx, given); err != nil {
		return c, invalid("Failed to resolve filesystem Id %v", err)
	}
	switch mode, there := given["provisioningMode"]; {
	case !there:
		return c, invalid("Missing provisioningMode parameter")
	case mode == "s3files-ap":
		return c, invalid("Provisioning mode s3files-ap is not supported here: there is no S3 Files.")
	case mode != "efs-ap":
		return c, invalid("Provisioning mode %s is not supported. Only Access point provisioning 'efs-ap' or 's3files-ap' are supported", mode)
	case given["csi.storage.k8s.io/provisioner-secret-name"] != "":
		return c, invalid("Unable to initialize aws cloud: there is no other account here, whose role a provisioner secret could name.")
	}
	if err := c.readIDs(given); err != nil {
		return c, err
	}
	if c.path, err = c.rootFor(o); err != nil {
		return c, err
	}
	tags := map[string]string{"efs.csi.aws.com/cluster": "true"}
	maps.Copy(tags, d.Tags)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		c.tags = append(c.tags, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return c, nil
}

// supported refuses what no volume of the driver can be.
func supported(o controller.ProvisionOptions) error {
	for _, mode := range o.PVC.Spec.AccessModes {
		if name := accessModes[mode]; name != "" {
			return invalid("Volume capabilities not supported: invalid access mode: %s", name)
		}
	}
	if mode := o.PVC.Spec.VolumeMode; mode != nil && *mode == corev1.PersistentVolumeBlock {
		return invalid("Volume capabilities not supported: only filesystem volumes are supported")
	}
	if kind := o.StorageClass.Parameters["csi.storage.k8s.io/fstype"]; kind != "" && kind != "efs" {
		return invalid("Volume fstype not supported: invalid fstype: %s", kind)
	}
	if o.PVC.Spec.DataSource != nil || o.PVC.Spec.DataSourceRef != nil {
		return fmt.Errorf("CSI driver does not support clone/snapshot restore: the dataSource of claim %s", o.PVC.Name)
	}
	return nil
}

// readIDs reads whose the directory is to be.
func (c *constraints) readIDs(given map[string]string) (err error) {
	number := func(name string, least int64, wrong string) (n int64, there bool, err error) {
		text, there := given[name]
		if !there {
			return -1, false, nil
		}
		if n, err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, true, invalid("Failed to parse invalid %v: %v", name, err)
		}
		if n < least {
			return 0, true, invalid("%v must be %s", name, wrong)
		}
		return n, true, nil
	}
	if c.uid, c.uidGiven, err = number("uid", 0, "greater or equal than 0"); err != nil {
		return err
	}
	if c.gid, c.gidGiven, err = number("gid", 0, "greater or equal than 0"); err != nil {
		return err
	}
	least, hasLeast, err := number("gidRangeStart", 1, "greater than 0")
	if err != nil {
		return err
	}
	_, hasMost := given["gidRangeEnd"]
	switch {
	case hasMost && !hasLeast:
		return invalid("Missing gidRangeStart parameter")
	case hasLeast && !hasMost:
		return invalid("Missing gidRangeEnd parameter")
	case !hasMost:
		c.gidMin, c.gidMax = defaultGIDMin, defaultGIDMax
		return nil
	}
	most, _, err := number("gidRangeEnd", least+1, "greater than gidRangeStart")
	c.gidMin, c.gidMax = least, most
	return err
}

// rootFor is the path of the access point's root directory.
func (c *constraints) rootFor(o controller.ProvisionOptions) (string, error) {
	name := o.PVName
	if pattern, there := o.StorageClass.Parameters["subPathPattern"]; there {
		name = strings.NewReplacer("${.PVC.name}", o.PVC.Name, "${.PVC.namespace}", o.PVC.Namespace, "${.PV.name}", o.PVName).Replace(pattern)
		if strings.Contains(name, "${") || strings.Contains(name, "}") {
			return "", invalid("Path specified \"%v\" contains invalid elements. Can only contain [.PV.name .PVC.name .PVC.namespace]", pattern)
		}
		if unique, err := strconv.ParseBool(o.StorageClass.Parameters["ensureUniqueDirectory"]); err != nil || unique {
			name += "-" + string(uuid.NewUUID())
		}
	}
	root := path.Join("/", c.basePath, name)
	switch {
	case len(root) > 100:
		return "", invalid("Proposed path '%s' exceeds file system limit of 100 characters", root)
	case strings.Count(root, "/") > 5:
		return "", invalid("Proposed path '%s' file system limit of 4 subdirectories", root)
	}
	return root, nil
}

// fileSystemOf is the file system that a class names, itself or by a key of a ConfigMap or of a Secret.
func (d *Driver) fileSystemOf(ctx context.Context, given map[string]string) (string, error) {
	const plain, byConfig, bySecret = "fileSystemId", "fileSystemIdConfigRef", "fileSystemIdSecretRef"
	var named []string
	for _, name := range []string{plain, byConfig, bySecret} {
		if strings.TrimSpace(given[name]) != "" {
			named = append(named, name)
		}
	}
	switch {
	case len(named) > 1:
		return "", fmt.Errorf("only one of fileSystemId, fileSystemIdConfigRef, or fileSystemIdSecretRef can be specified")
	case len(named) == 0:
		return "", fmt.Errorf("one of fileSystemId, fileSystemIdConfigRef, or fileSystemIdSecretRef must be specified")
	}
	text := strings.TrimSpace(given[named[0]])
	if named[0] == plain {
		return text, nil
	}
	parts := strings.Split(text, "/")
	if len(parts) != 3 || slices.Contains(parts, "") {
		return "", fmt.Errorf("invalid %s reference: invalid reference format, expected namespace/name/key, got: %s", named[0], text)
	}
	value, kind := "", "ConfigMap"
	if named[0] == byConfig {
		made, err := d.Client.CoreV1().ConfigMaps(parts[0]).Get(ctx, parts[1], metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("failed to get %s %s/%s: %w", named[0], parts[0], parts[1], err)
		}
		value = made.Data[parts[2]]
	} else {
		kind = "Secret"
		made, err := d.Client.CoreV1().Secrets(parts[0]).Get(ctx, parts[1], metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("failed to get %s %s/%s: %w", named[0], parts[0], parts[1], err)
		}
		value = string(made.Data[parts[2]])
	}
	if value = strings.TrimSpace(value); value == "" {
		return "", fmt.Errorf("key %s not found or empty in %s %s/%s", parts[2], kind, parts[0], parts[1])
	}
	return value, nil
}
