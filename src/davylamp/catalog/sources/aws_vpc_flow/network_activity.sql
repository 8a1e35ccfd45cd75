SELECT * EXCLUDE (interface_ip, reject) FROM staged WHERE reject IS NULL
