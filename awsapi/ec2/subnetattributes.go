package ec2

import (
	"tripod/awsapi/operation"
	"tripod/state"
)

type modifySubnetAttributeInput struct {
	SubnetID     string   `ec2:"SubnetId,required"`
	MapPublicIP  *boolean `ec2:"MapPublicIpOnLaunch"`
	AssignIPv6   *boolean `ec2:"AssignIpv6AddressOnCreation"`
	DNS64        *boolean `ec2:"EnableDns64"`
	HostnameType string   `ec2:"PrivateDnsHostnameTypeOnLaunch"`
	A            *boolean `ec2:"EnableResourceNameDnsARecordOnLaunch"`
	AAAA         *boolean `ec2:"EnableResourceNameDnsAAAARecordOnLaunch"`
}

// modifySubnetAttribute changes one attribute at a time, as EC2 does. Those of Outposts are refused: there are none.
func (s *Service) modifySubnetAttribute(call *operation.Call, in *modifySubnetAttributeInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := subnets.get(s, tx, in.SubnetID)
		if err != nil {
			return err
		}
		given := setGiven(toggle{in.MapPublicIP, &v.MapPublicIP}, toggle{in.AssignIPv6, &v.AssignIPv6},
			toggle{in.DNS64, &v.DNS64},
			toggle{in.A, &v.Names.A}, toggle{in.AAAA, &v.Names.AAAA})
		switch in.HostnameType {
		case "":
		case ipNames, resourceNames:
			v.Names.HostnameType = in.HostnameType
			given++
		default:
			return refuse("InvalidParameterValue",
				"Value (%s) for parameter PrivateDnsHostnameTypeOnLaunch is invalid. It must be ip-name or resource-name.",
				clip(in.HostnameType))
		}
		switch {
		case given != 1:
			return refuse("InvalidParameterCombination", "Give exactly one attribute to modify.")
		case v.IPv6Native && (v.MapPublicIP || v.Names.A || !v.AssignIPv6 || v.Names.HostnameType == ipNames):
			return refuse("InvalidParameterValue", "Invalid value for the attribute: the subnet %s is IPv6-only.", v.SubnetID)
		case len(v.CIDRs6) == 0 &&
			(in.AssignIPv6 != nil && v.AssignIPv6 || in.DNS64 != nil && v.DNS64 || in.AAAA != nil && v.Names.AAAA):
			return refuse("InvalidParameterValue", "Invalid value for the attribute: the subnet %s has no IPv6 CIDR block.",
				v.SubnetID)
		}
		subnets.put(s, tx, v)
		return nil
	})
}
